import { expect, it } from 'vitest';

import { freshPassword } from './passwords';

it('makes passwords that differ and can be read out', () => {
  const made = new Set(Array.from({ length: 50 }, freshPassword));
  expect(made.size).toBe(50);
  for (const password of made) expect(password).toMatch(/^[a-hjkmnp-z2-9]{16}$/);
});
