import { StreamError } from '../../shared/errors.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import { box, fixed16, uint16, uint32, zeros } from './box.js';

/** The configuration of a video track → its sample entry (ISO/IEC 14496-12, 12.1.3; ISO/IEC 14496-15). */

/** Configuration boxes of video by sample entry. */
const configurationBoxes: ReadonlyMap<string, string> = new Map([
  ['avc1', 'avcC'],
  ['hvc1', 'hvcC'],
  ['av01', 'av1C'],
  ['vp08', 'vpcC'],
  ['vp09', 'vpcC'],
]);

/** @throws StreamError `codec-unsupported` for a sample entry that there is no configuration box for */
export function visualSampleEntry(config: VideoTrackConfig): Uint8Array {
  const [horizontal, vertical] = config.pixelAspect;
  const aspect = box(
    'pasp',
    uint32(horizontal), // hSpacing
    uint32(vertical), // vSpacing
  );
  return box(
    config.sampleEntry,
    zeros(6), // reserved
    uint16(1), // data_reference_index
    zeros(16), // pre_defined, reserved
    uint16(config.width), // width
    uint16(config.height), // height
    fixed16(72), // horizresolution
    fixed16(72), // vertresolution
    uint32(0), // reserved
    uint16(1), // frame_count
    zeros(32), // compressorname
    uint16(0x18), // depth
    uint16(0xffff), // pre_defined
    box(configurationBox(config), config.description),
    ...(horizontal === vertical ? [] : [aspect]),
  );
}

function configurationBox({ sampleEntry, codec }: VideoTrackConfig): string {
  const type = configurationBoxes.get(sampleEntry);
  if (type === undefined) throw new StreamError('codec-unsupported', `Video of ${codec} cannot be put into MP4 here.`);
  return type;
}
