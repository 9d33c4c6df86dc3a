import { afterEach, describe, expect, it } from 'vitest';

import { cleanAddress, popped, takePop } from './screenPop';

describe('the screen pop', () => {
  it.each([
    ['#from=+8613800138000', '+8613800138000'],
    ['#from=%2B8613800138000', '+8613800138000'],
    ['#from=010%2012345678', '010 12345678'],
    ['#from=', undefined],
    ['#page', undefined],
    ['', undefined],
  ])('reads %s as %s', (fragment, number) => {
    expect(popped(fragment)).toBe(number);
  });

  afterEach(() => history.replaceState(null, '', '/'));

  it('leaves nothing in the address and is taken once', () => {
    history.replaceState({ kept: 1 }, '', '/console/call?a=1#from=13800138000');
    cleanAddress();
    expect(location.href).not.toContain('13800138000');
    expect(location.search).toBe('?a=1');
    expect(history.state).toEqual({ kept: 1 });
    expect([takePop(), takePop()]).toEqual(['13800138000', undefined]);
  });
});
