import type { ImageFile } from '../image-file.ts';
import type { MetadataPolicy } from '../metadata/model.ts';
import { numbersOf, readDirectory, readTiff, type Tiff, type TiffDirectory } from '../metadata/tiff-directory.ts';

/** Tags that lay out a picture: sizes, strips and tiles, colours, density, orientation, profile, JPEG tables. */
// biome-ignore format: a table
const STRUCTURAL: ReadonlySet<number> = new Set([
  254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 286, 287,
  288, 289, 290, 291, 292, 293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332,
  334, 336, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 34675,
]);

const SUB_DIRECTORIES = 330;

/** Artist and Copyright. */
const CREDITS: ReadonlySet<number> = new Set([315, 33432]);

const MAX_DIRECTORIES = 1000;

/** The tags of all pages of a TIFF that are metadata under this policy. */
export function tiffTagsLeft(file: ImageFile, policy: MetadataPolicy): string[] {
  const tiff = file.read(readTiff);
  if (!tiff) return ['no readable directory'];
  const found = new Set<number>();
  const seen = new Set<number>();
  const open = [tiff.first];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === 0 || seen.has(at)) continue;
    const directory = seen.size < MAX_DIRECTORIES ? readDirectory(tiff, at) : undefined;
    if (!directory) return ['a directory that cannot be read'];
    seen.add(at);
    for (const tag of directory.entries.keys())
      if (!STRUCTURAL.has(tag) && !(policy === 'copyright' && CREDITS.has(tag))) found.add(tag);
    open.push(directory.next, ...subDirectoriesOf(tiff, directory));
  }
  return [...found].sort((one, other) => one - other).map((tag) => `tag ${tag}`);
}

function subDirectoriesOf(tiff: Tiff, { entries }: TiffDirectory): number[] {
  return numbersOf(tiff, entries.get(SUB_DIRECTORIES), MAX_DIRECTORIES);
}
