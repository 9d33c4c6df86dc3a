import { expect, it } from 'vitest';

import { times } from './times';

const NOW = Date.parse('2026-11-22T02:00:00Z');
const at = (language: string) => times(language, 'Asia/Shanghai', () => NOW);

it('shows times in the zone of the city, whatever the zone of the machine', () => {
  const { short, full } = at('zh-CN');
  expect(short('2026-11-22T06:30:00Z')).toBe('14:30');
  expect(short('2026-11-21T15:59:00Z')).toContain('23:59');
  expect(short('2026-11-21T15:59:00Z')).toContain('11');
  expect(short('2025-01-02T00:00:00Z')).toContain('2025');
  expect(full('2026-11-21T16:00:00Z')).toContain('22');
});

it('tells how far away a time is', () => {
  const { relative } = at('en');
  expect(relative('2026-11-22T04:10:00Z')).toBe('in 2 hr.');
  expect(relative('2026-11-22T01:57:00Z')).toBe('3 min. ago');
  expect(relative('2026-11-19T01:00:00Z')).toBe('3 days ago');
  expect(relative('2026-11-22T02:00:20Z')).toBe('this minute');
});
