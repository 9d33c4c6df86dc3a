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
    const window = new PageWindow<number>(4);
    read(window, 4);
    expect(window.rows()).toEqual([undefined, undefined, undefined, undefined, 4, 5, 6, 7]);
    const missing = window.see(1, 1);
    expect(missing).toEqual({ after: undefined, start: 0 });
    window.fill(0, page(undefined));
    expect(window.rows()).toEqual([0, 1, undefined, undefined, undefined, undefined, 6, 7]);
    expect(window.see(2, 3)).toEqual({ after: '2', start: 2 });
    expect(window.see(6, 7)).toBeUndefined();
  });

  it('drops what was seen longest ago', () => {
    const window = new PageWindow<number>(4);
    read(window, 2);
    window.see(0, 1);
    read(window, 1);
    expect(window.rows()).toEqual([0, 1, undefined, undefined, 4, 5]);
  });

  it('knows its end, also with a last page that is empty', () => {
    const window = new PageWindow<number>(100);
    read(window, 5);
    expect(window.complete).toBe(true);
    window.begin();
    window.append({ items: [1], next: 'x' });
    expect(window.complete).toBe(false);
    window.append({ items: [], next: null });
    expect([window.complete, window.rows()]).toEqual([true, [1]]);
  });

  it('closes up when a page has become shorter', () => {
    const window = new PageWindow<number>(4);
    read(window, 3);
    window.fill(0, { items: [0], next: '2' });
    window.change((row) => row * 10);
    expect(window.rows()).toEqual([0, undefined, undefined, 40, 50]);
    expect(window.see(1, 1)).toEqual({ after: '2', start: 1 });
  });
});
