// Opens {path}, judges it, and returns its {title, text}; with {screenshot} also writes a picture to that file.
import { journey } from './browser.mjs';

await journey(async ({ page, base, given, judge }) => {
  await page.goto(base + given.path);
  await judge(given.path);
  if (given.screenshot) await page.screenshot({ path: given.screenshot, fullPage: true });
  return { title: await page.title(), text: await page.locator('body').innerText() };
});
