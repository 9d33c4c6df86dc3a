import './style.css';

import { createPinia } from 'pinia';
import { createApp } from 'vue';

import App from './App.vue';
import { loadCity } from './city';
import { i18n, speak } from './i18n';
import { router } from './routes';
import { useSettings } from './settings/store';

const app = createApp(App).use(createPinia()).use(i18n);
const { settings } = useSettings();
// The city's zone is part of every time shown; without it, or without words, nothing is worth showing.
await Promise.all([speak(settings.language), loadCity()]);
app.use(router).mount('#app');
