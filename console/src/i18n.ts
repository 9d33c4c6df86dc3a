// The words of the interface. Each folder keeps its own in `locales/{zh-CN,en}.json`; a key begins with the folder's name:
// `queue.title` stands as `title` in `queue/locales`. Only the chosen language is loaded.
import { createI18n } from 'vue-i18n';

export const LANGUAGES = ['zh-CN', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];

/** What both languages' catalogues are: the namespaces of the folders. */
export type Words = Record<string, Record<string, unknown>>;

const catalogues: Record<Language, () => Promise<{ default: Words }>> = {
  'zh-CN': () => import('./locales/zh-CN'),
  en: () => import('./locales/en'),
};

export const i18n = createI18n({ legacy: false, locale: 'zh-CN', fallbackLocale: false as const, messages: {} });

/** Loads a language if it is not there yet, and speaks it. */
export async function speak(language: Language): Promise<void> {
  if (!i18n.global.availableLocales.includes(language)) {
    const { default: words } = await catalogues[language]();
    i18n.global.setLocaleMessage(language, words);
  }
  i18n.global.locale.value = language;
  document.documentElement.lang = language;
}

/** Groups the catalogues of the folders under their names. */
export function gather(files: Record<string, Record<string, unknown>>): Words {
  const words: Words = {};
  for (const [path, catalogue] of Object.entries(files)) {
    const folder = path.split('/').at(-3);
    if (folder) words[folder] = catalogue;
  }
  return words;
}
