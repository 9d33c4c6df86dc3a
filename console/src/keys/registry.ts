// Every command of the console with its keys: pressing a key, the palette and the `?` map all read from here.

export interface Command {
  /** Unique, such as `ticket.reply`; a later registration goes before an earlier one. */
  id: string;
  /** What it does, in words, when shown. */
  label: () => string;
  /** The heading it stands under in `?` and palette. */
  group: () => string;
  /**
   * Keys: `r`, `shift+j`, `?`, `g q` (one after the other), `mod+k` (Ctrl, or Command on a Mac), `f2`, `escape`.
   * Several ways are a list.
   */
  keys?: string | string[];
  run: () => void;
  /** Whether it is possible now; always when left out. */
  enabled?: () => boolean;
  /** Whether the key acts also while a field or a dialog has the focus; only sensible with `mod` or a function key. */
  everywhere?: boolean;
  /** Whether the palette leaves it out, for mere movements. */
  hidden?: boolean;
}

/** How long the second key of a sequence is waited for. */
const SEQUENCE_MS = 1500;

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** Whether the key belongs to an input method that is composing, such as pinyin. 229 is what browsers send for such keys. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** A pressed key in the registry's notation, or null for a modifier by itself. */
export function chord(event: KeyboardEvent): string | null {
  if (['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) return null;
  const key = event.key.toLowerCase();
  // With a character, shift has already done its work: `?` is `?` on every keyboard.
  const isLetter = /^[a-z]$/.test(key);
  const shift = event.shiftKey && (isLetter || key.length > 1);
  const mod = isMac ? event.metaKey : event.ctrlKey;
  return `${mod ? 'mod+' : ''}${event.altKey ? 'alt+' : ''}${shift ? 'shift+' : ''}${key === ' ' ? 'space' : key}`;
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function isOverlay(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('[role=dialog],[role=alertdialog],[role=menu],[role=listbox]') !== null;
}

/** Whether a way needs a plain letter or character, which the letter switch turns off. */
function isLetterWay(way: string): boolean {
  return way.split(' ').some((part) => part.length === 1 || /^shift\+[a-z]$/.test(part));
}

export function ways(command: Command): string[] {
  return command.keys === undefined ? [] : [command.keys].flat();
}

export class Registry {
  private readonly commands: Command[] = [];
  private begun: { key: string; at: number } | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly lettersOn: () => boolean) {}

  /** Adds commands; returns how to take them away. */
  add(commands: Command[]): () => void {
    this.commands.unshift(...commands);
    this.tell();
    return () => {
      for (const command of commands) {
        const at = this.commands.indexOf(command);
        if (at >= 0) this.commands.splice(at, 1);
      }
      this.tell();
    };
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The commands that hold now, each id once. */
  all(): Command[] {
    const seen = new Set<string>();
    return this.commands.filter(({ id }) => !seen.has(id) && seen.add(id));
  }

  /** Runs what a pressed key means; true when it meant something. */
  press(event: KeyboardEvent, now: number): boolean {
    if (event.defaultPrevented || isComposing(event)) return false;
    const key = chord(event);
    if (key === null) return false;
    const isInside = isField(event.target) || isOverlay(event.target);
    const possible = this.all().filter((command) => (command.everywhere === true || !isInside) && command.enabled?.() !== false);
    const begun = this.begun && now - this.begun.at < SEQUENCE_MS ? `${this.begun.key} ` : '';
    this.begun = undefined;
    const matching = (wanted: (way: string) => boolean): Command | undefined =>
      possible.find((command) => ways(command).some((way) => wanted(way) && (this.lettersOn() || !isLetterWay(way))));

    const found = (begun && matching((way) => way === begun + key)) || matching((way) => way === key);
    if (found) {
      event.preventDefault();
      found.run();
      return true;
    }
    if (matching((way) => way.startsWith(`${key} `))) {
      event.preventDefault();
      this.begun = { key, at: now };
      return true;
    }
    return false;
  }

  private tell(): void {
    this.listeners.forEach((listener) => listener());
  }
}

const NAMES: Record<string, string> = {
  mod: isMac ? '⌘' : 'Ctrl',
  shift: isMac ? '⇧' : 'Shift',
  alt: 'Alt',
  enter: 'Enter',
  escape: 'Esc',
  space: 'Space',
  arrowdown: '↓',
  arrowup: '↑',
  arrowleft: '←',
  arrowright: '→',
};

/** A way as it is shown: the chords of a sequence, each a list of key names. */
export function shown(way: string): string[][] {
  return way.split(' ').map((part) => part.split('+').map((key) => NAMES[key] ?? key.toUpperCase()));
}
