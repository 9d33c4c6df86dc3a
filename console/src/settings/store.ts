// What a person has chosen for themselves; kept in this browser. `public/appearance.js` reads the same before the first paint.
import { defineStore } from 'pinia';
import { reactive, watch } from 'vue';

import { LANGUAGES, speak, type Language } from '@/i18n';

export const THEMES = ['system', 'light', 'dark'] as const;
export const DENSITIES = ['compact', 'standard', 'roomy'] as const;

interface Settings {
  language: Language;
  theme: (typeof THEMES)[number];
  density: (typeof DENSITIES)[number];
  /** Whether single letters act; speech input and screen readers may want them off (WCAG 2.1.4). */
  letterKeys: boolean;
}

const KEY = 'yingda.settings';

function kept(): Settings {
  let stored: Partial<Settings> = {};
  try {
    stored = (JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {}) as Partial<Settings>;
  } catch {
    // A broken entry counts as none.
  }
  const of = <Choice extends string>(choices: readonly Choice[], wanted: unknown, otherwise: Choice): Choice =>
    choices.find((choice) => choice === wanted) ?? otherwise;
  return {
    language: of(LANGUAGES, stored.language, navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'),
    theme: of(THEMES, stored.theme, 'system'),
    density: of(DENSITIES, stored.density, 'standard'),
    letterKeys: stored.letterKeys !== false,
  };
}

export const useSettings = defineStore('settings', () => {
  const settings = reactive(kept());
  const systemDark = matchMedia('(prefers-color-scheme: dark)');

  function appear(): void {
    const dark = settings.theme === 'dark' || (settings.theme === 'system' && systemDark.matches);
    document.documentElement.classList.toggle('dark', dark);
    document.documentElement.dataset.density = settings.density;
  }

  systemDark.addEventListener('change', appear);
  appear();
  watch(settings, () => {
    localStorage.setItem(KEY, JSON.stringify(settings));
    appear();
    void speak(settings.language);
  });
  // Another window of the same person follows.
  addEventListener('storage', (event) => {
    if (event.key === KEY) Object.assign(settings, kept());
  });
  return { settings };
});
