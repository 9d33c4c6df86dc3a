import { describe, expect, it } from 'vitest';

import { chord, Registry, shown, type Command } from './registry';

const command = (keys: string | string[], more: Partial<Command> = {}): Command & { ran: () => number } => {
  let count = 0;
  return { id: String(keys), label: () => '', group: () => '', keys, run: () => (count += 1), ran: () => count, ...more };
};

function press(init: KeyboardEventInit & { keyCode?: number }, target: HTMLElement = document.body): KeyboardEvent {
  const event = new KeyboardEvent('keydown', { cancelable: true, bubbles: true, ...init });
  if (init.keyCode) Object.defineProperty(event, 'keyCode', { value: init.keyCode });
  Object.defineProperty(event, 'target', { value: target });
  return event;
}

const field = document.createElement('textarea');

describe('a key', () => {
  it('runs its command and is taken from the browser', () => {
    const registry = new Registry(() => true);
    const reply = command('r');
    registry.add([reply]);
    const event = press({ key: 'r' });
    expect(registry.press(event, 0)).toBe(true);
    expect([reply.ran(), event.defaultPrevented]).toEqual([1, true]);
  });

  it('is left alone in fields and dialogs, but where a command is everywhere', () => {
    const registry = new Registry(() => true);
    const [reply, send] = [command('r'), command('mod+enter', { everywhere: true })];
    registry.add([reply, send]);
    const dialog = document.createElement('div');
    dialog.setAttribute('role', 'dialog');
    registry.press(press({ key: 'r' }, field), 0);
    registry.press(press({ key: 'r' }, dialog), 0);
    registry.press(press({ key: 'Enter', ctrlKey: true }, field), 0);
    expect([reply.ran(), send.ran()]).toEqual([0, 1]);
  });

  it.each([
    ['isComposing', { isComposing: true }],
    ['key code 229', { keyCode: 229 }],
  ])('belongs to the input method while it composes (%s)', (_, composing) => {
    const registry = new Registry(() => true);
    const every = [command('r'), command('mod+enter', { everywhere: true }), command('escape', { everywhere: true })];
    registry.add(every);
    for (const init of [{ key: 'r' }, { key: 'Enter', ctrlKey: true }, { key: 'Escape' }]) {
      const event = press({ ...init, ...composing });
      expect(registry.press(event, 0)).toBe(false);
      expect(event.defaultPrevented).toBe(false);
    }
    expect(every.map(({ ran }) => ran())).toEqual([0, 0, 0]);
  });

  it('does nothing by itself when letters are switched off; others still act', () => {
    const registry = new Registry(() => false);
    const every = [command('r'), command('g q'), command('shift+j'), command('?'), command('mod+k'), command('f2')];
    registry.add(every);
    for (const key of ['r', 'g', 'q', '?']) registry.press(press({ key }), 0);
    registry.press(press({ key: 'J', shiftKey: true }), 0);
    registry.press(press({ key: 'k', ctrlKey: true }), 0);
    registry.press(press({ key: 'F2' }), 0);
    expect(every.map(({ ran }) => ran())).toEqual([0, 0, 0, 0, 1, 1]);
  });

  it('may need a second one in time', () => {
    const registry = new Registry(() => true);
    const [queue, quote] = [command('g q'), command('q')];
    registry.add([queue, quote]);
    registry.press(press({ key: 'g' }), 0);
    registry.press(press({ key: 'q' }), 1000);
    registry.press(press({ key: 'g' }), 2000);
    registry.press(press({ key: 'q' }), 9000);
    expect([queue.ran(), quote.ran()]).toEqual([1, 1]);
  });

  it('goes to the newest command that is possible, and back when it goes', () => {
    const registry = new Registry(() => true);
    const [list, ticket, closed] = [command('e', { id: 'list' }), command('e', { id: 'ticket' }), command('e', { id: 'closed', enabled: () => false })];
    registry.add([list]);
    const leave = registry.add([ticket]);
    registry.add([closed]);
    registry.press(press({ key: 'e' }), 0);
    leave();
    registry.press(press({ key: 'e' }), 0);
    expect([list.ran(), ticket.ran(), closed.ran()]).toEqual([1, 1, 0]);
  });
});

it('writes a pressed key as the registry does', () => {
  const events: [KeyboardEventInit, string | null][] = [
    [{ key: 'Shift', shiftKey: true }, null],
    [{ key: '?', shiftKey: true }, '?'],
    [{ key: 'J', shiftKey: true }, 'shift+j'],
    [{ key: 'F8', shiftKey: true }, 'shift+f8'],
    [{ key: 'Enter', ctrlKey: true, shiftKey: true }, 'mod+shift+enter'],
    [{ key: ' ' }, 'space'],
  ];
  expect(events.map(([init]) => chord(press(init)))).toEqual(events.map(([, written]) => written));
});

it('shows keys by their names', () => {
  expect([shown('g q'), shown('mod+enter'), shown('?')]).toEqual([[['G'], ['Q']], [['Ctrl', 'Enter']], [['?']]]);
});
