/**
 * 64 bits of FNV-1a over UTF-8, as 16 hexadecimal digits. Enough to keep a handful of settings or long names apart;
 * no protection against anyone who searches for collisions.
 */
export function fnv1a64(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}
