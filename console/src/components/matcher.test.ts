import { expect, it } from 'vitest';

import { contains, loadPinyin } from './matcher';

it('finds every typed word wherever it stands', () => {
  expect(contains('Water Bureau water-bureau', 'bur wat')).toBe(true);
  expect(contains('Water Bureau', 'fire')).toBe(false);
  expect(contains('市水务局', '水务')).toBe(true);
});

it.each([
  ['市水务局', 'swj', true],
  ['市水务局', 'shuiwu', true],
  ['市水务局', 'shi shui', true],
  ['市水务局', '水务', true],
  ['重庆路街道', 'cql', true],
  ['西湖区住房和城乡建设局', 'xhqzf', true],
  ['市水务局', 'gaj', false],
  ['Water Bureau', 'wat', true],
])('%s by %s: %s', async (text, typed, fits) => {
  const matches = await loadPinyin();
  expect(matches(text, typed)).toBe(fits);
});
