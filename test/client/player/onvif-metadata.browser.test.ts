import { expect } from '@open-wc/testing';
import { OnvifMetadata } from '../../../client/player/onvif-metadata.js';

function metadataOf(inside: string): OnvifMetadata {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>
    <tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema"><tt:VideoAnalytics>${inside}</tt:VideoAnalytics></tt:MetadataStream>`;
  return new OnvifMetadata(xml, 0, null);
}

const box = (left: number, top: number, right: number, bottom: number) =>
  `<tt:Shape><tt:BoundingBox left="${left}" top="${top}" right="${right}" bottom="${bottom}"/></tt:Shape>`;

describe('OnvifMetadata', () => {
  it('has the boxes of the objects as shares of the picture, from its upper left corner', () => {
    const [frame] = metadataOf(`<tt:Frame UtcTime="2026-05-04T03:02:01.5Z">
      <tt:Object ObjectId="12"><tt:Appearance>${box(-0.5, 0.5, 0, -1)}</tt:Appearance></tt:Object>
    </tt:Frame>`).frames;
    expect(frame?.date?.toISOString()).to.equal('2026-05-04T03:02:01.500Z');
    expect(frame?.objects).to.deep.equal([
      { id: '12', type: null, likelihood: null, box: { x: 0.25, y: 0.25, width: 0.25, height: 0.75 } },
    ]);
  });

  it('applies the transformations of object and frame: scaled, then moved', () => {
    // Pixels of 640×480 from the upper left corner, as the specification's own example has them.
    const [frame] = metadataOf(`<tt:Frame>
      <tt:Transformation><tt:Translate x="-1" y="1"/><tt:Scale x="0.003125" y="-0.0041666667"/></tt:Transformation>
      <tt:Object ObjectId="1"><tt:Appearance>
        <tt:Transformation><tt:Translate x="10" y="0"/></tt:Transformation>${box(150, 120, 310, 360)}
      </tt:Appearance></tt:Object></tt:Frame>`).frames;
    const found = frame?.objects[0]?.box;
    expect(found?.x).to.be.closeTo(0.25, 1e-6);
    expect(found?.y).to.be.closeTo(0.25, 1e-6);
    expect(found?.width).to.be.closeTo(0.25, 1e-6);
    expect(found?.height).to.be.closeTo(0.5, 1e-6);
  });

  it('names the likeliest class, in the words of today and of older cameras', () => {
    const [frame] = metadataOf(`<tt:Frame>
      <tt:Object ObjectId="1"><tt:Appearance><tt:Class>
        <tt:Type Likelihood="0.2">Animal</tt:Type><tt:Type Likelihood="0.7">Human</tt:Type></tt:Class></tt:Appearance></tt:Object>
      <tt:Object ObjectId="2"><tt:Appearance><tt:Class><tt:ClassCandidate>
        <tt:Type>Vehicle</tt:Type><tt:Likelihood>0.9</tt:Likelihood></tt:ClassCandidate></tt:Class></tt:Appearance></tt:Object>
      <tt:Object/></tt:Frame>`).frames;
    expect(frame?.objects.map(({ type, likelihood }) => [type, likelihood])).to.deep.equal([
      ['Human', 0.7],
      ['Vehicle', 0.9],
      [null, null],
    ]);
  });

  it('gives no box where the numbers are none, and no frames of other documents', () => {
    const [frame] = metadataOf(
      `<tt:Frame UtcTime="soon"><tt:Object><tt:Appearance><tt:Shape><tt:BoundingBox left="x"/></tt:Shape></tt:Appearance></tt:Object></tt:Frame>`,
    ).frames;
    expect(frame?.date).to.equal(null);
    expect(frame?.objects[0]?.box).to.equal(null);
    expect(new OnvifMetadata('<broken', 0, null).frames).to.deep.equal([]);
  });
});
