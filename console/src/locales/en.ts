import { gather } from '@/i18n';

export default gather(import.meta.glob<Record<string, unknown>>('../*/locales/en.json', { eager: true, import: 'default' }));
