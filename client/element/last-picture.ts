/** The frame that a video was showing, kept on a canvas while another video takes its place. */
export class LastPicture {
  readonly canvas = document.createElement('canvas');

  constructor() {
    this.canvas.className = 'still';
    this.canvas.hidden = true;
    this.canvas.setAttribute('aria-hidden', 'true');
  }

  /** Keeps the frame on screen; without one, keeps what was kept before. */
  take(video: HTMLVideoElement): void {
    if (video.videoWidth === 0 || video.readyState < video.HAVE_CURRENT_DATA) return;
    const context = this.canvas.getContext('2d', { alpha: false });
    if (context === null) return;
    this.canvas.width = video.videoWidth;
    this.canvas.height = video.videoHeight;
    context.drawImage(video, 0, 0, this.canvas.width, this.canvas.height);
    this.canvas.hidden = false;
  }

  /** Forgets it, and the memory that it takes. */
  clear(): void {
    this.canvas.hidden = true;
    this.canvas.width = 0;
    this.canvas.height = 0;
  }
}
