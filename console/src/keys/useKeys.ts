import { getCurrentScope, onScopeDispose, shallowRef, type ShallowRef } from 'vue';

import { useSettings } from '@/settings/store';

import { Registry, type Command } from './registry';

export type { Command } from './registry';

let lettersOn = (): boolean => true;
const registry = new Registry(() => lettersOn());

/** Listens to the keyboard; called once, by the shell. */
export function listen(): void {
  const { settings } = useSettings();
  lettersOn = () => settings.letterKeys;
  addEventListener('keydown', (event) => registry.press(event, event.timeStamp));
}

/** Registers the commands of a page or part; they go when it goes. */
export function useKeys(commands: Command[]): void {
  const remove = registry.add(commands);
  if (getCurrentScope()) onScopeDispose(remove);
}

/** The commands that hold now, for palette and map. */
export function useCommands(): ShallowRef<Command[]> {
  const commands = shallowRef(registry.all());
  onScopeDispose(registry.onChange(() => (commands.value = registry.all())));
  return commands;
}
