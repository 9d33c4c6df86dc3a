// How soon the queue's first rows stand on the screen, from the moment its address is asked for, with a warm cache.
//
// {staff, rounds}; returns {millis: [..]}
import { journey, logIn } from './harness.mjs';

const ROW = '[data-pane="1"] [data-row-focus]';

await journey(async ({ base, given, staff, open }) => {
  const page = await open({ expected: [/status of 401/] });
  await logIn(page, base, staff('supervisor'), '/queue');
  await page.locator(ROW).first().waitFor();
  await page.addInitScript((row) => {
    const look = () => {
      if (document.querySelector(row)) window.firstRows = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, ROW);
  const millis = [];
  for (let round = 0; round < given.rounds; round += 1) {
    await page.goto(`${base}/console/queue`);
    await page.waitForFunction(() => window.firstRows !== undefined);
    millis.push(await page.evaluate(() => window.firstRows));
  }
  return { millis };
});
