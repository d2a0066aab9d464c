import { latin1 } from '../bytes.ts';
import { escapeXml, propertyIn } from './xmp.ts';

/**
 * What of an XMP packet a viewer needs to show the gain map of a picture (Ultra HDR: hdrgm; Apple's HDRGainMap), and
 * nothing else. The values are numbers and fixed words: free text is not carried.
 */

const NAMESPACES = [
  {
    prefix: 'hdrgm',
    uri: 'http://ns.adobe.com/hdr-gain-map/1.0/',
    names: [
      'Version',
      'BaseRenditionIsHDR',
      'GainMapMin',
      'GainMapMax',
      'Gamma',
      'OffsetSDR',
      'OffsetHDR',
      'HDRCapacityMin',
      'HDRCapacityMax',
    ],
  },
  {
    prefix: 'HDRGainMap',
    uri: 'http://ns.apple.com/HDRGainMap/1.0/',
    names: ['HDRGainMapVersion', 'HDRGainMapHeadroom'],
  },
  {
    prefix: 'apdi',
    uri: 'http://ns.apple.com/pixeldatainfo/1.0/',
    names: ['AuxiliaryImageType', 'NativeFormat', 'StoredFormat'],
  },
] as const;

const VALUE = /^[\w.:+-]{1,64}$/;

// A longer packet holds more than the parameters of a gain map, and could take too long to read.
const MAX_READ_BYTES = 2_000_000;

/**
 * The rdf:Description of these properties; undefined where the packet has none.
 * @param mapLength bytes of the gain map, where the packet is that of the first picture
 */
export function renderDescription(packet: Uint8Array, mapLength?: number): string | undefined {
  if (packet.length > MAX_READ_BYTES) return undefined;
  const text = Buffer.from(packet).toString('latin1');
  const properties = NAMESPACES.flatMap(({ prefix, uri, names }) =>
    names.map((name) => ({
      prefix,
      uri,
      name,
      values: propertyIn(text, uri, name).filter((value) => VALUE.test(value)),
    })),
  ).filter(({ values }) => values.length > 0);
  const directory = mapLength !== undefined && text.includes('GainMap"') ? containerOf(mapLength) : '';
  if (properties.length === 0 && directory === '') return undefined;
  const namespaces = [...new Set(properties.map(({ prefix, uri }) => `xmlns:${prefix}="${uri}"`))];
  const single = properties.filter(({ values }) => values.length === 1);
  const attributes = single.map(({ prefix, name, values }) => `${prefix}:${name}="${values[0]}"`);
  const lists = properties.filter(({ values }) => values.length > 1).map(listElement);
  const head = ['rdf:about=""', ...namespaces, ...attributes].join(' ');
  return `<rdf:Description ${head}>${lists.join('')}${directory}</rdf:Description>`;
}

function listElement({ prefix, name, values }: { prefix: string; name: string; values: readonly string[] }): string {
  const items = values.map((value) => `<rdf:li>${escapeXml(value)}</rdf:li>`).join('');
  return `<${prefix}:${name}><rdf:Seq>${items}</rdf:Seq></${prefix}:${name}>`;
}

/** Google's directory of a file with a gain map: readers add up the lengths to find the map. */
function containerOf(mapLength: number): string {
  return (
    '<Container:Directory xmlns:Container="http://ns.google.com/photos/1.0/container/" ' +
    'xmlns:Item="http://ns.google.com/photos/1.0/container/item/"><rdf:Seq>' +
    '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>' +
    '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" ' +
    `Item:Length="${mapLength}"/></rdf:li></rdf:Seq></Container:Directory>`
  );
}

/** A packet of these descriptions, or the given packet with them in it. */
export function packetWith(description: string, packet?: Uint8Array): Uint8Array {
  const end = '</rdf:RDF>';
  const text = packet && Buffer.from(packet).toString('latin1');
  const at = text?.lastIndexOf(end) ?? -1;
  if (text && at >= 0) return latin1(text.slice(0, at) + description + text.slice(at));
  return latin1(
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
      `${description}${end}</x:xmpmeta>`,
  );
}
