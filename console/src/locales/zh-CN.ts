import { gather } from '@/i18n';

export default gather(import.meta.glob<Record<string, unknown>>('../*/locales/zh-CN.json', { eager: true, import: 'default' }));
