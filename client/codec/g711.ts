/** G.711 octets → 16-bit samples (ITU-T G.711; RFC 3551, 4.5.14). */

/** Samples of A-law octets. */
export const aLawSamples: Int16Array = Int16Array.from({ length: 256 }, (_, octet) => {
  const code = octet ^ 0x55; // even bits are sent inverted
  const exponent = (code >> 4) & 7;
  const mantissa = ((code & 15) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (code & 0x80) === 0 ? -magnitude : magnitude;
});

/** Samples of µ-law octets. */
export const muLawSamples: Int16Array = Int16Array.from({ length: 256 }, (_, octet) => {
  const code = ~octet & 0xff; // all bits are sent inverted
  const bias = 0x84;
  const magnitude = ((((code & 15) << 3) + bias) << ((code >> 4) & 7)) - bias;
  return (code & 0x80) === 0 ? magnitude : -magnitude;
});
