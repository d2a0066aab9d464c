/**
 * Takes a sample of at most `size` items, spread evenly over all that are offered, without knowing how many there will be:
 * when it is full, every second one leaves, and from then on only every second of what was taken before is.
 */
export function spreadSample<Item>(size: number) {
  let taken: Item[] = [];
  let offered = 0;
  let stride = 1;
  return {
    offer(item: Item): void {
      const isNext = offered % stride === 0;
      offered += 1;
      if (!isNext) return;
      if (taken.length === size) {
        taken = taken.filter((_, n) => n % 2 === 0);
        stride *= 2;
        // It was next for the earlier stride only.
        if ((offered - 1) % stride !== 0) return;
      }
      taken.push(item);
    },
    items: (): readonly Item[] => taken,
  };
}
