import { describe, expect, it } from 'vitest';

import { PageWindow } from './window';

/** A hub with so many rows, paged by two. */
const page = (after: string | undefined, end = 10): { items: number[]; next: string | null } => {
  const from = Number(after ?? 0);
  const items = [from, from + 1].filter((row) => row < end);
  return { items, next: from + 2 < end ? String(from + 2) : null };
};

function read(window: PageWindow<number>, pages: number): void {
  for (let read = 0; read < pages; read += 1) window.append(page(window.after));
}

describe('a window of pages', () => {
  it('keeps the places of what it drops, and fetches it again when it is seen', () => {
    const window = new PageWindow<number>(4, Number);
    read(window, 4);
    expect(window.rows()).toEqual([undefined, undefined, undefined, undefined, 4, 5, 6, 7]);
    const missing = window.see(1, 1);
    expect(missing).toEqual({ after: undefined, start: 0, length: 2, until: '2' });
    window.fill(0, page(undefined).items);
    expect(window.rows()).toEqual([0, 1, undefined, undefined, undefined, undefined, 6, 7]);
    expect(window.see(2, 3)).toMatchObject({ after: '2', start: 2 });
    expect(window.see(6, 7)).toBeUndefined();
  });

  it('drops what was seen longest ago', () => {
    const window = new PageWindow<number>(4, Number);
    read(window, 2);
    window.see(0, 1);
    read(window, 1);
    expect(window.rows()).toEqual([0, 1, undefined, undefined, 4, 5]);
  });

  it('knows its end, also with a last page that is empty', () => {
    const window = new PageWindow<number>(100, Number);
    read(window, 5);
    expect(window.complete).toBe(true);
    window.begin();
    window.append({ items: [1], next: 'x' });
    expect(window.complete).toBe(false);
    window.append({ items: [], next: null });
    expect([window.complete, window.rows()]).toEqual([true, [1]]);
  });

  it('closes up when a page has become shorter', () => {
    const window = new PageWindow<number>(4, Number);
    read(window, 3);
    window.fill(0, [0]);
    window.change((row) => row * 10);
    expect(window.rows()).toEqual([0, undefined, undefined, 40, 50]);
    expect(window.see(1, 1)).toMatchObject({ after: '2', start: 1 });
  });

  it('shows a row once, wherever it stood when its page was read', () => {
    const window = new PageWindow<number>(4, Number);
    read(window, 4);
    // Row 0 has left the list, so that the first page reaches into the second.
    window.fill(0, [1, 2]);
    window.fill(2, [2, 3]);
    expect(window.rows()).toEqual([1, 2, 3, undefined, undefined, undefined, undefined]);
    window.append({ items: [3, 8], next: null });
    expect(window.rows().filter((row) => row === 3)).toHaveLength(1);
  });

  it('loses and doubles no row of thousands, down and up again, while rows leave', () => {
    const LIMIT = 100;
    const list = Array.from({ length: 4_031 }, (_, row) => row);
    // As the hub pages: those after a row, whether or not that row is still there.
    const fetch = (after: string | undefined): { items: number[]; next: string | null } => {
      const later = list.filter((row) => row > Number(after ?? -1));
      const items = later.slice(0, LIMIT);
      return { items, next: later.length > LIMIT ? String(items.at(-1)) : null };
    };
    const window = new PageWindow<number>(3_000, Number);
    const seen = new Set<number>();
    const look = (first: number): void => {
      const last = first + 20;
      for (let missing = window.see(first, last); missing; missing = window.see(first, last)) window.fill(missing.start, fetch(missing.after).items);
      const rows = window.rows();
      const shown = rows.filter((row) => row !== undefined);
      expect(new Set(shown).size).toBe(shown.length);
      expect(shown.length).toBeLessThanOrEqual(3_000 + LIMIT);
      for (const row of rows.slice(first, last + 1)) seen.add(row as number);
    };
    while (!window.complete) {
      window.append(fetch(window.after));
      look(Math.max(0, window.rows().length - 21));
    }
    expect(window.rows()).toHaveLength(list.length);
    for (let first = window.rows().length - 21; first > 0; first -= 20) {
      // A ticket above is closed meanwhile.
      if (first % 300 === 0) list.splice(first - 250, 1);
      look(first);
    }
    look(0);
    for (const row of list) expect(seen.has(row), `row ${row}`).toBe(true);
  });
});
