// What the hub tells of its city: name, zone, telephone number.
import { ref } from 'vue';

import type { Language } from './i18n';

interface City {
  names: Record<string, string>;
  zone: string;
  helpline: string;
}

export const city = ref<City>({ names: {}, zone: 'Asia/Shanghai', helpline: '12345' });

/** The hotline's name in a language, or in whichever there is. */
export function cityName(language: Language): string {
  const { names } = city.value;
  return names[language] ?? names[language === 'zh-CN' ? 'zh-Hans' : 'en'] ?? Object.values(names)[0] ?? city.value.helpline;
}

export async function loadCity(): Promise<void> {
  const answer = await fetch('/console/city.json');
  if (answer.ok) city.value = (await answer.json()) as City;
}
