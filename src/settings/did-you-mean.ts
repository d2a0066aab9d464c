/** The words nearest to a mistyped one, for the user to choose from; none where no word is near. */
export function nearestWords(written: string, words: readonly string[], nameOf = (word: string) => word) {
  const distances = words.map((word) => editDistance(written.toLowerCase(), nameOf(word).toLowerCase()));
  const smallest = Math.min(...distances);
  const maxDistance = written.length <= 3 ? 1 : 2;
  return smallest > maxDistance ? [] : words.filter((_, index) => distances[index] === smallest);
}

/** `did you mean 'jpeg'?` @returns undefined where there is nothing to suggest */
export function didYouMean(suggestions: readonly string[]): string | undefined {
  if (suggestions.length === 0) return undefined;
  return `did you mean ${suggestions.map((word) => `'${word}'`).join(' or ')}?`;
}

/** Levenshtein's: letters to insert, delete or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const [left = 0, above = 0, diagonal = 0] = [next[j], row[j + 1], row[j]];
      next.push(Math.min(left + 1, above + 1, diagonal + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
