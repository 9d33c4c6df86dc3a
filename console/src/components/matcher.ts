import { shallowRef, type ShallowRef } from 'vue';

/** Whether a text fits what was typed. */
export type Matcher = (text: string, typed: string) => boolean;

/** Every typed word stands somewhere in the text. */
export const contains: Matcher = (text, typed) => {
  const whole = text.toLowerCase();
  return typed
    .toLowerCase()
    .split(/\s+/)
    .every((word) => whole.includes(word));
};

const matcher = shallowRef<Matcher>(contains);
let loading: Promise<void> | undefined;

/** Loads the readings of Chinese characters; a page of its own, because most screens need none. */
export async function loadPinyin(): Promise<Matcher> {
  loading ??= import('pinyin-pro').then(({ match }) => {
    matcher.value = (text, typed) => {
      if (contains(text, typed)) return true;
      const letters = typed.toLowerCase().replace(/[\s']/g, '');
      return /^[a-z]+$/.test(letters) && match(text, letters, { precision: 'start', continuous: true }) !== null;
    };
  });
  await loading;
  return matcher.value;
}

/** A matcher that knows pinyin, whole or by initials (`swj` finds 市水务局), as soon as the readings are loaded. */
export function usePinyin(): ShallowRef<Matcher> {
  void loadPinyin();
  return matcher;
}
