/** The report's style sheet: calm, light and dark, and printable. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #faf9f6; --card: #fff; --ink: #1f2528; --soft: #667077; --line: #e6e4dd;
  --good: #2f7d6b; --good-soft: #dceee8; --kept: #8fa7b8; --skipped: #cbd3d6;
  --bad: #b9482f; --bad-soft: #fbeae5; --lost: #7a2746; --before: #c9c5b8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15191b; --card: #1d2225; --ink: #e7e9e6; --soft: #97a1a6; --line: #2d3438;
    --good: #5cbfa5; --good-soft: #1d3831; --kept: #6c8799; --skipped: #46535a;
    --bad: #e98a6f; --bad-soft: #3a241e; --lost: #d274a0; --before: #55554d;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 58rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1, h2, p { margin: 0; }
header { display: flex; flex-wrap: wrap; gap: .25rem .9rem; align-items: baseline; margin-bottom: 1.5rem; }
h1, h2 { font-size: 1.05rem; font-weight: 600; }
h1 { overflow-wrap: anywhere; }
h2 { margin-bottom: .2rem; }
.soft { color: var(--soft); font-size: .88rem; }
.status { font-size: .78rem; font-weight: 600; letter-spacing: .03em; padding: .12rem .6rem; border-radius: 1rem; }
.status.good { background: var(--good-soft); color: var(--good); }
.status.bad { background: var(--bad-soft); color: var(--bad); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.4rem 1.6rem; margin-bottom: 1rem; }
section.alarm { background: var(--bad-soft); border-color: transparent; }
section.alarm h2 { color: var(--bad); }
.hero { display: grid; grid-template-columns: auto 1fr; gap: 1.2rem 2.2rem; align-items: center; padding: 1.8rem 1.6rem; }
.saved { font-size: 4rem; line-height: 1; font-weight: 650; letter-spacing: -.03em; color: var(--good); }
.hero .soft { margin-top: .35rem; }
svg { display: block; width: 100%; overflow: visible; }
svg text { fill: currentColor; font-size: 13px; }
.counts { display: flex; flex-wrap: wrap; gap: .6rem 2.2rem; list-style: none; margin: 1rem 0 0; padding: 0; }
.counts li { color: var(--soft); font-size: .88rem; }
.counts b { display: block; font-size: 1.5rem; font-weight: 600; line-height: 1.2; color: var(--ink); }
.dot { display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; margin-right: .4rem; }
table { width: 100%; border-collapse: collapse; margin-top: .8rem; font-size: .9rem; }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: .82rem; }
th, td { padding: .38rem .9rem .38rem 0; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; }
th.number, td.number { text-align: right; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
.key { overflow-wrap: anywhere; unicode-bidi: isolate; }
code, pre { font: .86em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { overflow-x: auto; margin: .8rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.command { background: var(--card); border-radius: .4rem; padding: .55rem .8rem; }
.alarm p + p { margin-top: .5rem; }
.alarm table { border-color: transparent; }
.alarm th, .alarm td { border-color: color-mix(in srgb, var(--bad) 20%, transparent); }
.reasons td:nth-child(2) { width: 42%; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin-bottom: 1rem; }
.two section { margin: 0; }
summary { cursor: pointer; font-weight: 600; }
@media (max-width: 44rem) {
  .hero, .two { grid-template-columns: 1fr; }
  main { padding: 1.2rem .8rem 3rem; }
  section { padding: 1.1rem 1rem; min-width: 0; overflow-x: auto; }
  table { font-size: .82rem; }
  th { font-size: .76rem; }
  th, td { padding-right: .5rem; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #555; --line: #ddd; }
  main { max-width: none; padding: 0; }
  section { break-inside: avoid; }
  section.long { break-inside: auto; }
  tr { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
