/**
 * Memory of Node's pool, for what is sent and then forgotten: memory of its own would take longer than packing a kill. Nobody can
 * transfer the pool away from under its other users; whatever was in it is still there.
 */
export function pooled(size: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafe(size);
  return new Uint8Array(buffer, byteOffset, size);
}
