/** One member of a tar, with any lie that a test wants in its header. */
export interface Member {
  name: string;
  data?: Uint8Array;
  type?: string;
  prefix?: string;
  /** What the header says of the size, if not the truth. */
  size?: number | Buffer;
  checksum?: string;
}

/** A ustar header (IEEE 1003.1, pax: ustar interchange format). */
export function tarHeader({
  name,
  data = Buffer.alloc(0),
  type = "0",
  prefix = "",
  size,
  checksum,
}: Member): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100, "utf8");
  header.write("0000644\0", 100);
  header.write("0000000\0".repeat(2), 108);
  if (Buffer.isBuffer(size)) size.copy(header, 124);
  else header.write(`${(size ?? data.byteLength).toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write("ustar\x0000", 257, "latin1");
  header.write(prefix, 345, 155);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(checksum ?? `${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

export function tarMember(member: Member): Buffer {
  const data = member.data ?? Buffer.alloc(0);
  return Buffer.concat([tarHeader(member), data, Buffer.alloc((512 - (data.byteLength % 512)) % 512)]);
}

export function makeTar(members: Member[]): Buffer {
  return Buffer.concat([...members.map(tarMember), Buffer.alloc(1024)]);
}

/** A size in base 256, as GNU tar writes those of 8 GB and more. */
export function base256(size: bigint): Buffer {
  const field = Buffer.alloc(12);
  for (let at = 11, rest = size; at > 0; at--, rest >>= 8n) field[at] = Number(rest & 255n);
  field[0] = 0x80;
  return field;
}

/** A pax header with one record for each entry. */
export function pax(records: Record<string, string>): Member {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = Buffer.byteLength(rest);
    while (Buffer.byteLength(`${length}${rest}`) !== length) length = Buffer.byteLength(`${length}${rest}`);
    return `${length}${rest}`;
  });
  return { name: "PaxHeaders/x", type: "x", data: Buffer.from(lines.join("")) };
}
