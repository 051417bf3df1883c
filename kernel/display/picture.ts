// A picture becomes a part of the notebook file; what is larger than this was hardly meant to be looked at.
const MAX_BYTES = 8 * 1024 * 1024;

const SIGNATURES: [type: string, bytes: number[]][] = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
];

/** The MIME type of a picture, known by how its bytes begin, as Deno's kernel does; undefined for other bytes. */
export function pictureType(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength > MAX_BYTES) return undefined;
  return SIGNATURES.find(([, signature]) => signature.every((byte, i) => bytes[i] === byte))?.[0];
}
