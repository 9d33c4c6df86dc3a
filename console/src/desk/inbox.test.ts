import { describe, expect, it } from 'vitest';

import { grouped, groupOf } from './inbox';
import type { Summary } from './requests';

const NOW = Date.parse('2026-11-22T15:30:00Z');

describe('the inbox', () => {
  it.each([
    [null, 'none'],
    ['2026-11-22T15:29:59Z', 'overdue'],
    // 23:59 in Shanghai is still today, a minute later is not.
    ['2026-11-22T15:59:00Z', 'today'],
    ['2026-11-22T16:00:00Z', 'later'],
  ])('puts what is due %s under %s', (due, group) => {
    expect(groupOf(due, NOW, 'Asia/Shanghai')).toBe(group);
  });

  it('shows the earliest first and no empty group', () => {
    const item = (number: string, due_at: string): Summary => ({ number, due_at }) as Summary;
    const groups = grouped([item('2', '2026-11-25T00:00:00Z'), item('1', '2026-11-24T00:00:00Z'), item('3', '2026-11-20T00:00:00Z')], NOW, 'Asia/Shanghai');
    expect(groups.map(({ group, items }) => [group, items.map(({ number }) => number)])).toEqual([
      ['overdue', ['3']],
      ['later', ['1', '2']],
    ]);
  });
});
