// A list of any length of which only some pages are kept: what was dropped leaves its place and is fetched again when it
// comes into view.

export interface Page<Item> {
  items: Item[];
  next?: string | null;
}

interface Slot<Item> {
  /** What to send to get this page again. */
  after: string | undefined;
  /** Where it begins in the list, and how many rows it takes. */
  start: number;
  length: number;
  items: Item[] | undefined;
  used: number;
}

/** A page that is not kept: what to send for it, where it begins, its rows, and what is sent for the page after it (null: nothing). */
export interface Missing {
  after: string | undefined;
  start: number;
  length: number;
  until: string | null;
}

export class PageWindow<Item> {
  private slots: Slot<Item>[] = [];
  private next: string | null | undefined = '';
  private clock = 0;

  /** `most` rows are kept; `keyOf` tells rows apart. */
  constructor(
    private readonly most: number,
    private readonly keyOf: (item: Item) => unknown,
  ) {}

  /** Whether the last page has been read. */
  get complete(): boolean {
    return this.next === null;
  }

  /** What to send for the page after the last. */
  get after(): string | undefined {
    return this.next === '' ? undefined : (this.next ?? undefined);
  }

  begin(): void {
    this.slots = [];
    this.next = '';
  }

  append(page: Page<Item>): void {
    const last = this.slots.at(-1);
    const start = last ? last.start + last.length : 0;
    const items = this.once(page.items);
    if (items.length > 0) this.slots.push({ after: this.after, start, length: items.length, items, used: ++this.clock });
    this.next = page.next ?? null;
    this.drop();
  }

  /** The rows, with a hole for each that is not kept. */
  rows(): (Item | undefined)[] {
    return this.slots.flatMap<Item | undefined>(({ items, length }) => items ?? Array.from<undefined>({ length }));
  }

  /** Those that stand in no page that is kept: a row that has moved in the list meanwhile is shown once. */
  private once(items: Item[]): Item[] {
    const known = new Set(this.slots.flatMap(({ items }) => items?.map(this.keyOf) ?? []));
    return items.filter((item) => !known.has(this.keyOf(item)));
  }

  /** Marks rows as seen; returns the first page among them that is not kept. */
  see(first: number, last: number): Missing | undefined {
    let missing: Slot<Item> | undefined;
    for (const slot of this.slots) {
      if (slot.start > last || slot.start + slot.length <= first) continue;
      slot.used = ++this.clock;
      if (!slot.items) missing ??= slot;
    }
    return missing && { after: missing.after, start: missing.start, length: missing.length, until: this.slots[this.slots.indexOf(missing) + 1]?.after ?? this.after ?? null };
  }

  /** Puts the rows of a page back into their place, which closes up or grows when they have changed meanwhile. */
  fill(start: number, items: Item[]): void {
    const slot = this.slots.find((slot) => slot.start === start);
    if (!slot) return;
    slot.items = this.once(items);
    slot.length = slot.items.length;
    let at = 0;
    for (const each of this.slots) {
      each.start = at;
      at += each.length;
    }
    slot.used = ++this.clock;
    this.drop();
  }

  /** Changes the rows that are kept, in place. */
  change(change: (item: Item) => Item): void {
    for (const slot of this.slots) slot.items &&= slot.items.map(change);
  }

  private drop(): void {
    const kept = this.slots.filter(({ items }) => items);
    let rows = kept.reduce((sum, { length }) => sum + length, 0);
    kept.sort((one, other) => one.used - other.used);
    for (const slot of kept) {
      if (rows <= this.most) return;
      slot.items = undefined;
      rows -= slot.length;
    }
  }
}
