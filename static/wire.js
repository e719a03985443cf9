// Reads what gan_core/frames.py packs: a length, JSON, and arrays behind it.

const TYPES = { float32: Float32Array, uint8: Uint8Array, int64: BigInt64Array, float64: Float64Array };

export function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const arrays = {};
  for (const { name, dtype, shape, offset } of header.arrays) {
    const Type = TYPES[dtype];
    const count = shape.reduce((a, b) => a * b, 1);
    const start = 4 + length + offset;
    // a copy, because the block itself need not start at a multiple of the element's size
    arrays[name] = new Type(bytes.slice(start, start + count * Type.BYTES_PER_ELEMENT).buffer);
  }
  return { header, arrays };
}
