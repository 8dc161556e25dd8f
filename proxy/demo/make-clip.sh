#!/usr/bin/env bash
# Makes the demo camera's clip with FFmpeg: clip.h264 (Annex B) and clip.aac (ADTS), 60 seconds that join without a seam.
# Needs ffmpeg with libx264 and the DejaVu fonts (Debian: ffmpeg, fonts-dejavu-core).
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
quiet=(-hide_banner -loglevel error -y)
bold=/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf
mono=/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf

# Still parts: a night-blue background with a ring around the counter, and a soft ball of light.
ffmpeg "${quiet[@]}" -f lavfi -i color=black:s=640x360 -frames:v 1 -vf "format=rgb24,geq=
r='10+16*Y/H+60*exp(-pow((hypot(X-320,Y-180)-132)/1.6,2))+10*exp(-pow(hypot(X-320,Y-180)/150,2))':
g='16+22*Y/H+84*exp(-pow((hypot(X-320,Y-180)-132)/1.6,2))+14*exp(-pow(hypot(X-320,Y-180)/150,2))':
b='34+34*Y/H+110*exp(-pow((hypot(X-320,Y-180)-132)/1.6,2))+26*exp(-pow(hypot(X-320,Y-180)/150,2))'" "$work/ground.png"
ball() {
  ffmpeg "${quiet[@]}" -f lavfi -i color=black:s=40x40 -frames:v 1 -vf "format=rgba,geq=r=$1:g=$2:b=$3:
a='255*min(1,1.6*exp(-pow(hypot(X-19.5,Y-19.5)/8,2)))'" "$work/$4.png"
}
ball 255 196 92 sun
ball 92 200 255 moon

# The sun goes round in four seconds, the moon the other way in ten, so that both are back after sixty.
ffmpeg "${quiet[@]}" -loop 1 -framerate 25 -i "$work/ground.png" -loop 1 -framerate 25 -i "$work/sun.png" \
  -loop 1 -framerate 25 -i "$work/moon.png" -t 60 -filter_complex "
[0][1]overlay=x='320-20+132*sin(2*PI*t/4)':y='180-20-132*cos(2*PI*t/4)':eval=frame[a];
[a][2]overlay=x='320-20-210*sin(2*PI*t/10)':y='180-20-60*cos(2*PI*t/10)':eval=frame[b];
[b]drawtext=fontfile=$mono:fontsize=76:fontcolor=white:x=(w-text_w)/2:y=146:text='%{eif\:floor(n/25)\:d\:2}.%{eif\:mod(n\,25)\:d\:2}',
drawtext=fontfile=$bold:fontsize=15:fontcolor=0xa9c4e6:x=(w-text_w)/2:y=226:text='second . frame',
drawtext=fontfile=$bold:fontsize=20:fontcolor=0xe8f1fc:x=24:y=20:text='DEMO CAMERA',
drawtext=fontfile=$bold:fontsize=14:fontcolor=0x7f9cc0:x=24:y=h-34:text='640 x 360   25 fps   H.264 + AAC',
format=yuv420p" -r 25 -frames:v 1500 -an -c:v libx264 -profile:v high -level:v 3.0 -preset veryslow -crf 31 \
  -bf 0 -g 50 -keyint_min 50 -sc_threshold 0 -x264-params "rc-lookahead=0:sync-lookahead=0:repeat-headers=1:aud=0:annexb=1" \
  -bsf:v 'filter_units=remove_types=6' -f h264 clip.h264

# A soft chord, and a chime on every second. At 32 kHz a minute is 1,875 blocks of 1,024 samples, to the sample. The sound
# has the period of a second, so a coder that is given two minutes has nothing of its start left in the second one.
tone="0.05*sin(2*PI*220*t)+0.035*sin(2*PI*330*t)+0.03*sin(2*PI*440*t)"
chime="0.22*sin(2*PI*880*t)*exp(-7*mod(t\,1))*min(1\,200*mod(t\,1))+0.1*sin(2*PI*1320*t)*exp(-10*mod(t\,1))*min(1\,200*mod(t\,1))"
ffmpeg "${quiet[@]}" -f lavfi -i "aevalsrc=$tone+$chime:s=32000:d=121" -c:a aac -profile:a aac_low -b:a 20k -ac 1 \
  -f adts "$work/long.aac"
# Blocks 1,876 to 3,750: one minute, behind one minute and the coder's delay of one block.
python3 - "$work/long.aac" clip.aac <<'PY'
import sys
data = open(sys.argv[1], 'rb').read()
blocks = []
while data:
    size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    blocks.append(data[:size])
    data = data[size:]
open(sys.argv[2], 'wb').write(b''.join(blocks[1876:3751]))
PY
ls -l clip.h264 clip.aac
