import { fileURLToPath } from 'node:url';

import tailwindcss from '@tailwindcss/vite';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';

// A running hub for `npm run dev`; its address is what the browser shows as origin.
const hub = process.env.HUB ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: '/console/',
  plugins: [vue(), tailwindcss()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_I18N_FULL_INSTALL__: false, __VUE_I18N_LEGACY_API__: false, __VUE_OPTIONS_API__: false },
  // Nothing inline: the hub's content security policy forbids it.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, manifest: true, reportCompressedSize: false },
  server: {
    proxy: {
      '/api': { target: hub, ws: true, changeOrigin: true, headers: { origin: hub } },
      '/console/city.json': hub,
    },
  },
  test: { environment: 'happy-dom', include: ['src/**/*.test.ts'] },
});
