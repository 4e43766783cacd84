// A zip archive without compression, as Blob parts: what the browser holds on disk stays there.

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
/** 1980-01-01, the first date that the format knows. */
const DATE = (1 << 5) | 1;
const UTF8_NAMES = 1 << 11;
const MAX_BYTES = 0xffff_ffff;

async function checksum(blob) {
  let crc = 0xffff_ffff;
  const reader = blob.stream().getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return (crc ^ 0xffff_ffff) >>> 0;
    for (const byte of value) crc = (crc >>> 8) ^ CRC[(crc ^ byte) & 0xff];
  }
}

/** A path that no unpacker takes for something else: relative, without `..`, control characters and reserved ones. */
export function safePath(path) {
  const parts = String(path).split(/[/\\]+/).map((part) => part.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069<>:"|?*]/g, "_").replace(/^\.+|[. ]+$/g, "_").slice(0, 120));
  return parts.filter(Boolean).join("/").slice(0, 400) || "_";
}

/** Packs `[[path, Blob or text], …]`; a path that comes again gets a number. */
export async function zip(entries) {
  const parts = [];
  const directory = [];
  const names = new Set();
  let at = 0;
  for (const [path, content] of entries) {
    const blob = content instanceof Blob ? content : new Blob([content]);
    const name = new TextEncoder().encode(unused(safePath(path), names));
    if (at + blob.size + name.length + 100 > MAX_BYTES) throw new Error("the archive would be larger than 4 GiB");
    const facts = new DataView(new ArrayBuffer(26));
    facts.setUint16(0, 20, true);
    facts.setUint16(2, UTF8_NAMES, true);
    facts.setUint16(8, DATE, true);
    facts.setUint32(10, await checksum(blob), true);
    facts.setUint32(14, blob.size, true);
    facts.setUint32(18, blob.size, true);
    facts.setUint16(22, name.length, true);
    parts.push(signature(0x0403_4b50), facts.buffer, name, blob);
    const place = new DataView(new ArrayBuffer(14));
    place.setUint32(10, at, true);
    // The directory has the facts again, after the version that made it.
    directory.push(signature(0x0201_4b50), Uint8Array.of(20, 3), facts.buffer, place.buffer, name);
    at += 30 + name.length + blob.size;
  }
  const size = directory.reduce((sum, part) => sum + part.byteLength, 0);
  const end = new DataView(new ArrayBuffer(18));
  end.setUint16(4, entries.length, true);
  end.setUint16(6, entries.length, true);
  end.setUint32(8, size, true);
  end.setUint32(12, at, true);
  return new Blob([...parts, ...directory, signature(0x0605_4b50), end.buffer], { type: "application/zip" });
}

function signature(value) {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint32(0, value, true);
  return bytes.buffer;
}

function unused(path, names) {
  const dot = path.lastIndexOf(".") > path.lastIndexOf("/") + 1 ? path.lastIndexOf(".") : path.length;
  let name = path;
  for (let n = 2; names.has(name.toLowerCase()); n += 1) name = `${path.slice(0, dot)}-${n}${path.slice(dot)}`;
  names.add(name.toLowerCase());
  return name;
}
