import { joinBytes } from '../bytes.ts';

/** XMP packets are small XML files. What is not understood is copied unchanged or left out, never repaired. */

export interface Credits {
  /** dc:creator */
  readonly creators: readonly string[];
  /** dc:rights */
  readonly rights?: string;
  /** photoshop:Credit */
  readonly creditLine?: string;
  /** dc:description and dc:subject: what a picture shows, which only metadata `keep` carries along. */
  readonly caption?: string;
  readonly keywords?: readonly string[];
}

export interface XmpCredits extends Credits {
  /** xmpRights: UsageTerms, WebStatement, Owner, Marked, Certificate. */
  readonly terms: readonly (readonly [name: RightsName, value: string])[];
  /** Credit line, licensor, label of AI: prefix and name, as in CREDIT_PROPERTIES. */
  readonly others?: readonly (readonly [property: string, value: string])[];
}

export const NO_CREDITS: XmpCredits = { creators: [], terms: [] };

type RightsName = (typeof RIGHTS_NAMES)[number];

const LICENSOR = 'http://ns.useplus.org/ldf/xmp/1.0/';
const RIGHTS_NAMES = ['UsageTerms', 'WebStatement', 'Owner', 'Marked', 'Certificate'] as const;
/** Of IPTC's photo metadata standard: what has to be shown beside a picture, or tells who may use it and how it was made. */
const CREDIT_PROPERTIES = {
  'photoshop:Credit': 'http://ns.adobe.com/photoshop/1.0/',
  'photoshop:Source': 'http://ns.adobe.com/photoshop/1.0/',
  'Iptc4xmpExt:DigitalSourceType': 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/',
  'Iptc4xmpExt:AISystemUsed': 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/',
  'plus:LicensorURL': LICENSOR,
  'plus:LicensorName': LICENSOR,
  'plus:CreditLineRequired': LICENSOR,
  'plus:DataMining': LICENSOR,
} as const;

const DC = 'http://purl.org/dc/elements/1.1/';
const XMP_RIGHTS = 'http://ns.adobe.com/xap/1.0/rights/';
const TIFF = 'http://ns.adobe.com/tiff/1.0/';

// A longer packet is copied or dropped as a whole: a hostile one could take too long to read.
const MAX_READ_BYTES = 2_000_000;

/** The same packet, of the same length, with every tiff:Orientation set. */
export function withXmpOrientation(packet: Uint8Array, orientation: number): Uint8Array {
  const text = readText(packet);
  if (text === undefined) return packet;
  const value = new RegExp(`(${orientationPattern(text)})[0-9](?=\\s{0,9}["'<])`, 'g');
  const patched = text.replace(value, `$1${orientation}`);
  return patched === text ? packet : bytesOf(patched);
}

/** tiff:Orientation, 1 to 8; undefined when the packet has none. */
export function readXmpOrientation(packet: Uint8Array): number | undefined {
  const text = readText(packet);
  if (text === undefined) return undefined;
  const match = new RegExp(`${orientationPattern(text)}([1-8])\\s{0,9}["'<]`).exec(text);
  return match ? Number(match[1]) : undefined;
}

/** Of tiff:Orientation up to its value, as an attribute or an element. */
function orientationPattern(text: string): string {
  const prefix = escapePattern(prefixOf(text, TIFF) ?? 'tiff');
  return `${prefix}:Orientation\\s{0,9}(?:=\\s{0,9}["']|>\\s{0,9})`;
}

/** As Latin-1, so that positions are bytes: everything searched for is ASCII. */
function readText(packet: Uint8Array): string | undefined {
  if (packet.length > MAX_READ_BYTES) return undefined;
  return Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength).toString('latin1');
}

function prefixOf(text: string, namespace: string): string | undefined {
  const at = text.search(new RegExp(`xmlns:[\\w.-]{1,40}=["']${escapePattern(namespace)}["']`));
  return at < 0 ? undefined : text.slice(at + 6, text.indexOf('=', at));
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** The main packet of a JPEG together with its extended part, for formats without a size limit. */
export function mergeExtendedXmp(main: Uint8Array, extended: Uint8Array): Uint8Array {
  const whole = Buffer.from(main).toString('latin1');
  const more = Buffer.from(extended).toString('latin1');
  const from = more.indexOf('>', more.indexOf('<rdf:RDF')) + 1;
  const to = more.lastIndexOf('</rdf:RDF>');
  const at = whole.lastIndexOf('</rdf:RDF>');
  if (from < 1 || to < from || at < 0) return main;
  const joined = whole.slice(0, at) + more.slice(from, to) + whole.slice(at);
  return bytesOf(joined.replace(/\sxmpNote:HasExtendedXMP="[0-9A-Fa-f]{0,64}"/, ''));
}

function bytesOf(latin1Text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(latin1Text, 'latin1'));
}

/** Author and copyright. */
export function readXmpCredits(packet: Uint8Array): XmpCredits {
  if (packet.length > MAX_READ_BYTES) return NO_CREDITS;
  const text = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength).toString('utf8');
  const dc = prefixOf(text, DC) ?? 'dc';
  const rights = prefixOf(text, XMP_RIGHTS) ?? 'xmpRights';
  const others = Object.entries(CREDIT_PROPERTIES).flatMap(([property, uri]) =>
    propertyIn(text, uri, property.slice(property.indexOf(':') + 1))
      .slice(0, 1)
      .map((value) => [property, value] as const),
  );
  return {
    creators: valuesOf(text, `${dc}:creator`),
    rights: valuesOf(text, `${dc}:rights`)[0],
    ...(others.length > 0 && { others }),
    terms: RIGHTS_NAMES.flatMap((name) =>
      valuesOf(text, `${rights}:${name}`)
        .slice(0, 1)
        .map((value) => [name, value] as const),
    ),
  };
}

/** The values of a property of this namespace; none where the packet does not have it. */
export function propertyIn(text: string, namespace: string, name: string): string[] {
  const prefix = prefixOf(text, namespace);
  return prefix === undefined ? [] : valuesOf(text, `${prefix}:${name}`);
}

/** The values of a property, written as an attribute, as an element, or as a list of elements. */
function valuesOf(text: string, name: string): string[] {
  const attribute = new RegExp(`\\s${escapePattern(name)}\\s{0,9}=\\s{0,9}(?:"([^"<>]{0,4000})"|'([^'<>]{0,4000})')`);
  const inAttribute = attribute.exec(text);
  if (inAttribute) return [unescapeXml(inAttribute[1] ?? inAttribute[2] ?? '')].filter(Boolean);
  const body = bodyOf(text, name);
  if (body === undefined) return [];
  const items = [...body.matchAll(/<rdf:li(?:\s[^<>]{0,200})?>([^<]{0,4000})<\/rdf:li>/g)];
  const values = items.length > 0 ? items.map(([, value = '']) => value) : [body];
  const plain = values.filter((value) => !value.includes('<'));
  return plain.map(unescapeXml).filter(Boolean).slice(0, 20);
}

function bodyOf(text: string, name: string): string | undefined {
  const open = new RegExp(`<${escapePattern(name)}(?:\\s[^<>]{0,400})?>`).exec(text);
  if (!open || open[0].endsWith('/>')) return undefined;
  const from = open.index + open[0].length;
  const to = text.indexOf(`</${name}`, from);
  return to < 0 ? undefined : text.slice(from, to);
}

/** A new packet that holds the credits, this tiff:Orientation and nothing else; undefined when there is neither. */
export function buildXmp(credits: XmpCredits, orientation?: number): Uint8Array | undefined {
  const description = descriptionOf(credits, orientation);
  if (description === undefined) return undefined;
  const packet = [
    '<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>',
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
    description,
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>',
  ];
  return Uint8Array.from(Buffer.from(packet.join(''), 'utf8'));
}

/**
 * The packet with the credits that it lacks; a new one where there is none. A property that it has in any form is
 * left unchanged: readers refuse a packet that has one twice.
 */
export function withCredits(packet: Uint8Array | undefined, credits: Credits): Uint8Array | undefined {
  const { creators, rights, creditLine, caption, keywords } = credits;
  const others = creditLine ? [['photoshop:Credit', creditLine] as const] : [];
  if (!packet) return buildXmp({ creators, rights, caption, keywords, others, terms: [] });
  const text = readText(packet);
  const end = text?.lastIndexOf('</rdf:RDF>') ?? -1;
  if (text === undefined || end < 0) return packet;
  const dc = escapePattern(prefixOf(text, DC) ?? 'dc');
  const holds = (name: string) => new RegExp(`[<\\s]${dc}:${name}[\\s=/>]`).test(text);
  const lacking = descriptionOf({
    creators: holds('creator') ? [] : creators,
    rights: holds('rights') ? undefined : rights,
    caption: holds('description') ? undefined : caption,
    keywords: holds('subject') ? [] : keywords,
    others: propertyIn(text, CREDIT_PROPERTIES['photoshop:Credit'], 'Credit').length > 0 ? [] : others,
    terms: [],
  });
  return lacking === undefined
    ? packet
    : joinBytes(packet.subarray(0, end), Buffer.from(lacking, 'utf8'), packet.subarray(end));
}

function descriptionOf(credits: XmpCredits, orientation?: number): string | undefined {
  const authors = credits.creators.map(printable).filter(Boolean).map(listItem).join('');
  const keywords = (credits.keywords ?? []).map(printable).filter(Boolean).map(listItem).join('');
  const rights = printable(credits.rights ?? '');
  const terms = credits.terms.map(([name, value]) => [name, printable(value)] as const);
  const parts = [
    ...(orientation ? [`<tiff:Orientation>${orientation}</tiff:Orientation>`] : []),
    ...(authors ? [`<dc:creator><rdf:Seq>${authors}</rdf:Seq></dc:creator>`] : []),
    ...(credits.caption ? [`<dc:description>${alternatives(printable(credits.caption))}</dc:description>`] : []),
    ...(keywords ? [`<dc:subject><rdf:Bag>${keywords}</rdf:Bag></dc:subject>`] : []),
    ...(rights ? [`<dc:rights>${alternatives(rights)}</dc:rights>`] : []),
    ...terms
      .filter(([, value]) => value)
      .map(([name, value]) => `<xmpRights:${name}>${rightsValue(name, value)}</xmpRights:${name}>`),
  ];
  const { elements, namespaces } = otherCredits(credits.others ?? []);
  parts.push(...elements);
  if (parts.length === 0) return undefined;
  const tiff = orientation ? ` xmlns:tiff="${TIFF}"` : '';
  return (
    `<rdf:Description rdf:about="" xmlns:dc="${DC}" xmlns:xmpRights="${XMP_RIGHTS}"${tiff}${namespaces}>` +
    `${parts.join('')}</rdf:Description>`
  );
}

/** A licensor's name and address are fields of one structure, all others properties of their own. */
function otherCredits(others: NonNullable<XmpCredits['others']>) {
  const written = others.map(([property, value]) => ({ property, value: escapeXml(printable(value)) }));
  const elementOf = ({ property, value }: { property: string; value: string }) => `<${property}>${value}</${property}>`;
  const isLicensor = ({ property }: { property: string }) => property.startsWith('plus:Licensor');
  const licensor = written.filter(isLicensor).map(elementOf).join('');
  const structure = `<plus:Licensor><rdf:Seq><rdf:li rdf:parseType="Resource">${licensor}</rdf:li></rdf:Seq></plus:Licensor>`;
  const prefixes = new Map(
    others.map(([property]) => [property.split(':')[0], CREDIT_PROPERTIES[property as keyof typeof CREDIT_PROPERTIES]]),
  );
  return {
    elements: [...written.filter((one) => !isLicensor(one)).map(elementOf), ...(licensor ? [structure] : [])],
    namespaces: [...prefixes].map(([prefix, uri]) => ` xmlns:${prefix}="${uri}"`).join(''),
  };
}

function rightsValue(name: RightsName, value: string): string {
  if (name === 'UsageTerms') return alternatives(value);
  if (name === 'Owner') return `<rdf:Bag>${listItem(value)}</rdf:Bag>`;
  return escapeXml(value);
}

function alternatives(value: string): string {
  return `<rdf:Alt><rdf:li xml:lang="x-default">${escapeXml(value)}</rdf:li></rdf:Alt>`;
}

function listItem(value: string): string {
  return `<rdf:li>${escapeXml(value)}</rdf:li>`;
}

// A control character is not allowed in XML: a single one makes a packet unreadable.
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\t\n\r]/gu, '').trim();
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function unescapeXml(text: string): string {
  const plain = text.replace(
    /&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(lt|gt|quot|apos|amp));/g,
    (whole, hex, decimal, name) => {
      if (name) return ENTITIES[name] ?? whole;
      const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
  return printable(plain);
}

export function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
