// Before the first paint: the theme, density and language of this user, so that nothing flashes.
(() => {
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem('yingda.settings') ?? '{}') ?? {};
  } catch {
    // A broken entry counts as none.
  }
  const root = document.documentElement;
  const dark = kept.theme === 'dark' || (kept.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.classList.toggle('dark', dark);
  root.dataset.density = kept.density ?? 'standard';
  root.lang = kept.language ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en');
})();
