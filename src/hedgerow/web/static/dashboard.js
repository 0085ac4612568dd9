// The dashboard's script: swaps panels that the server sends, draws the curves, opens questions as dialogs.
// Everything works without it. No number is computed or formatted here.
"use strict";
(() => {
  const body = document.body;
  const dialog = document.getElementById("dialog");
  let plot = null;
  let stream = null;
  let sockets = true;
  let range = null;

  // --- tabs and parts of the page -------------------------------------------------------------------------------
  const TABS = ["pairs", "hedges", "payments", "decisions", "health", "log", "settings"];
  body.classList.add("scripted");

  function showTab(name) {
    body.dataset.table = name;
    for (const link of document.querySelectorAll("#tabs [data-tab]")) {
      if (link.dataset.tab === name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    for (const tab of TABS) {
      const panel = document.getElementById(tab);
      if (panel) panel.classList.toggle("shown", tab === name);
    }
  }

  function showPart(name) {
    body.dataset.tab = name;
    for (const link of document.querySelectorAll("[data-foot]")) {
      if (link.dataset.foot === name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (plot) draw();
  }

  function fromAddress() {
    const name = location.hash.slice(1);
    if (TABS.includes(name)) showTab(name);
    if (["now", "money", "pairs", "log", "act"].includes(name)) showPart(name);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    if (link.dataset.tab) { event.preventDefault(); showTab(link.dataset.tab); remember(link.dataset.tab); }
    else if (link.dataset.foot) { event.preventDefault(); showPart(link.dataset.foot); remember(link.dataset.foot); window.scrollTo(0, 0); }
    else if (link.dataset.range) { event.preventDefault(); range = link.dataset.range; markRange(); draw(); }
    else if ("dialog" in link.dataset && dialog) { event.preventDefault(); ask(link.href); }
    else if ("keep" in link.dataset && dialog && dialog.open) { event.preventDefault(); dialog.close(); }
  });

  function remember(name) { history.replaceState(null, "", "#" + name); }

  // --- questions as dialogs -------------------------------------------------------------------------------------
  async function ask(address) {
    let answer;
    try { answer = await fetch(address, { headers: { "X-Fragment": "1" } }); } catch { location.href = address; return; }
    if (!answer.ok) { location.href = address; return; }
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    dialog.replaceChildren(...parsed.body.childNodes);
    if (!dialog.open) dialog.showModal();
    const keep = dialog.querySelector("[data-keep]");
    if (keep) keep.focus();
  }

  // --- panels that the server sends -----------------------------------------------------------------------------
  const RULES = {
    morphStyle: "outerHTML",
    callbacks: {
      beforeNodeMorphed(before) {
        if (!(before instanceof Element)) return true;
        if (before.id === "plot") return false;
        if (before.tagName === "FORM" && before.contains(document.activeElement)) return false;
        return true;
      },
      beforeAttributeUpdated(name, node) {
        return !(name === "open" && node.tagName === "DETAILS") && !(name === "checked") &&
          !(name === "class" && node.classList && node.classList.contains("tab"));
      },
    },
  };

  function receive(message) {
    if (message.main) {
      Idiomorph.morph(document.getElementById("main"), message.main, RULES);
    }
    for (const [name, html] of Object.entries(message.panels || {})) {
      const panel = document.getElementById(name);
      if (panel) Idiomorph.morph(panel, html, RULES);
    }
    if (message.title) document.title = message.title;
    showTab(body.dataset.table || "pairs");
    const marked = document.getElementById("plot");
    if (message.main || (message.panels && message.panels.curve)) { markRange(); if (marked) draw(); }
  }

  function setLive(live) { body.classList.toggle("lost", !live); }

  // By WebSocket, of which a browser may have many to a host; where something between refuses it, as an event stream.
  function open() {
    if (stream || document.hidden || !body.dataset.stream) return;
    if (!sockets) { openEvents(); return; }
    const address = new URL(body.dataset.stream, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    let socket;
    try { socket = new WebSocket(address); } catch { sockets = false; openEvents(); return; }
    let opened = false;
    stream = socket;
    socket.addEventListener("open", () => { opened = true; setLive(true); });
    socket.addEventListener("message", (event) => { setLive(true); receive(JSON.parse(event.data)); });
    socket.addEventListener("close", () => {
      if (stream !== socket) return;
      stream = null;
      setLive(false);
      setTimeout(() => again(!opened), 1000);
    });
  }

  function openEvents() {
    stream = new EventSource(body.dataset.stream);
    stream.addEventListener("panels", (event) => { setLive(true); receive(JSON.parse(event.data)); });
    stream.addEventListener("open", () => setLive(true));
    stream.addEventListener("error", () => {
      setLive(false);
      // A stream that was refused is not tried again by the browser: the session may have ended.
      if (stream && stream.readyState === EventSource.CLOSED) { close(); setTimeout(() => again(false), 2000); }
    });
  }

  async function again(refused) {
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
      if (answer.status === 401) { location.reload(); return; }
      if (answer.ok && refused) sockets = false;
    } catch { /* The server is not there yet. */ }
    open();
  }

  function close() { if (stream) { stream.close(); stream = null; } }

  // Closed while nobody looks: it costs the server a page a second.
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);

  // --- curves ---------------------------------------------------------------------------------------------------
  function markRange() {
    const box = document.getElementById("plot");
    if (!box) return;
    range = range || box.dataset.range;
    for (const chip of document.querySelectorAll("[data-range].chip")) {
      if (chip.dataset.range === range) chip.setAttribute("aria-current", "true");
      else chip.removeAttribute("aria-current");
    }
  }

  const color = (name) => getComputedStyle(body).getPropertyValue(name).trim();

  async function draw() {
    const box = document.getElementById("plot");
    if (!box || box.offsetWidth === 0) return;
    let data;
    try {
      const answer = await fetch(`${box.dataset.src}?range=${encodeURIComponent(range || box.dataset.range)}`);
      if (!answer.ok) return;
      data = await answer.json();
    } catch { return; }
    if (plot) { plot.destroy(); plot = null; }
    box.replaceChildren();
    if (data.t.length < 2) return;
    const line = (name, width) => ({ label: name, stroke: color(`--${name}`), width, points: { show: false }, spanGaps: true });
    const axis = { stroke: color("--soft"), grid: { stroke: color("--rule"), width: 1 }, ticks: { show: false } };
    plot = new uPlot({
      width: box.clientWidth,
      height: 240,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { y: false },
      hooks: { draw: [(drawn) => marks(drawn, data.marks)] },
      scales: { x: { time: true } },
      axes: [{ ...axis, values: times }, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => (tick < 0 ? "\u2212$" : "$") + Math.abs(tick)) }],
      series: [{}, line("net", 2), line("funding", 1.5), line("fees", 1.5), line("basis", 1)],
    }, [data.t, data.net, data.funding, data.fees, data.basis], box);
    box.setAttribute("aria-hidden", "true");
  }

  // Times of the axis: UTC, the day where a day begins, else the hour.
  function times(_, ticks, __, ___, step) {
    const form = (parts) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...parts });
    const days = form({ day: "numeric", month: "short" });
    const hours = form({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    return ticks.map((tick) => (step >= 86400 || tick % 86400 === 0 ? days : hours).format(new Date(tick * 1000)));
  }

  function marks(drawn, found) {
    const context = drawn.ctx;
    context.save();
    context.strokeStyle = color("--soft");
    context.setLineDash([3, 4]);
    for (const mark of found) {
      const x = drawn.valToPos(mark.t, "x", true);
      if (x < drawn.bbox.left || x > drawn.bbox.left + drawn.bbox.width) continue;
      context.beginPath();
      context.moveTo(x, drawn.bbox.top);
      context.lineTo(x, drawn.bbox.top + drawn.bbox.height);
      context.stroke();
    }
    context.restore();
  }

  let resized = 0;
  window.addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(draw, 200); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("scroll", () => body.classList.toggle("scrolled", window.scrollY > 90), { passive: true });
  setInterval(() => { if (!document.hidden) draw(); }, 60000);

  showTab("pairs");
  showPart("now");
  fromAddress();
  window.addEventListener("hashchange", fromAddress);
  markRange();
  draw();
  open();
})();
