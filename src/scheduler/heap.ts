/**
 * A heap whose keys may grow behind its back: an item whose key has grown is moved when it comes to the top. That is right as
 * long as keys never shrink, as in a wave of placements, where nodes only fill up; one heap can so serve many groups.
 */
export class GrowingHeap<Item> {
  readonly #items: Item[];
  readonly #keys: number[];
  readonly #keyOf: (item: Item) => number;

  constructor(items: Iterable<Item>, keyOf: (item: Item) => number) {
    this.#items = [...items];
    this.#keys = this.#items.map(keyOf);
    this.#keyOf = keyOf;
    for (let at = (this.#items.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** The item with the least key now; of equal keys any, but always the same for the same history. */
  top(): Item | undefined {
    for (;;) {
      const item = this.#items[0];
      if (item === undefined) return undefined;
      const key = this.#keyOf(item);
      if (key === this.#keys[0]) return item;
      this.#keys[0] = key;
      this.#sink(0);
    }
  }

  /** Takes the top away. */
  pop(): void {
    const item = this.#items.pop();
    const key = this.#keys.pop();
    if (this.#items.length === 0 || item === undefined) return;
    this.#items[0] = item;
    this.#keys[0] = key!;
    this.#sink(0);
  }

  push(item: Item): void {
    const key = this.#keyOf(item);
    let at = this.#items.length;
    this.#items.push(item);
    this.#keys.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#keys[parent]! <= key) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(start: number): void {
    const size = this.#items.length;
    let at = start;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= size) return;
      const right = left + 1;
      const least = right < size && this.#keys[right]! < this.#keys[left]! ? right : left;
      if (this.#keys[at]! <= this.#keys[least]!) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a]!;
    this.#items[a] = this.#items[b]!;
    this.#items[b] = item;
    const key = this.#keys[a]!;
    this.#keys[a] = this.#keys[b]!;
    this.#keys[b] = key;
  }
}
