const all = (query, root) => Array.from((root || document).querySelectorAll(query));
const cases = all(".case");
const answers = data.cases.map((one) => one.questions.map(() => null));
const viewers = [];
const course = new Course();
document.documentElement.classList.add("js");

/* Whether a mark lies in what was drawn, or within a fingertip of it. */
function hits(scan, target, mark) {
  const reach = data.tolerance_mm / scan.pixel_mm;
  const near = target === "mass" ? [mark.slice] : [mark.slice, mark.slice - 1, mark.slice + 1];
  return near.some((slice) => {
    const curves = scan.drawn[target][slice] || [];
    const inside = curves.filter((curve) => encloses(curve, mark.x, mark.y)).length % 2 === 1;
    return inside || curves.some((curve) => away(curve, mark.x, mark.y) <= reach);
  });
}

function encloses(curve, x, y) {
  let inside = false;
  curve.forEach(([ax, ay], at) => {
    const [bx, by] = curve[(at + 1) % curve.length];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  });
  return inside;
}

function away(curve, x, y) {
  return Math.min(
    ...curve.map(([ax, ay], at) => {
      const [bx, by] = curve[(at + 1) % curve.length];
      const squared = (bx - ax) ** 2 + (by - ay) ** 2;
      const share = squared ? Math.min(Math.max(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / squared, 0), 1) : 0;
      return Math.hypot(x - ax - share * (bx - ax), y - ay - share * (by - ay));
    })
  );
}

/* Answers are lists of choices, marks, or "skipped". A share of 1 is all right; null: not counted. */
function share(number, at) {
  const question = data.cases[number].questions[at];
  const answer = answers[number][at];
  if (answer === null || answer === "skipped") return null;
  if (question.kind === "place") {
    const [scan, slice, x, y] = answer;
    return hits(data.cases[number].scans[scan], question.target, { slice, x, y }) ? 1 : 0;
  }
  const right = answer.filter((choice) => question.right.includes(choice)).length;
  return Math.max(0, (2 * right - answer.length) / question.right.length);
}

function totals(number) {
  const asked = number === undefined ? answers.flatMap((_, at) => totals(at)) : null;
  const sum = (key) => asked.reduce((total, one) => total + one[key], 0);
  if (asked) return { points: sum("points"), of: sum("of"), open: sum("open") };
  const shares = answers[number].map((_, at) => share(number, at));
  const skipped = answers[number].filter((answer) => answer === "skipped").length;
  return {
    points: shares.reduce((total, one) => total + (one || 0), 0),
    of: shares.length - skipped,
    open: answers[number].filter((answer) => answer === null).length,
  };
}

function percent() {
  const { points, of } = totals();
  return of ? Math.round((100 * points) / of) : 0;
}

function settle(number, at, answer) {
  answers[number][at] = answer;
  const step = all(".step", cases[number])[at];
  const question = data.cases[number].questions[at];
  const got = share(number, at);
  const verdict = step.querySelector(".verdict");
  const [words, kind] = got === null ? ["Shown, not counted.", ""] : got === 1 ? ["Right.", "good"]
    : got > 0 ? [`Partly right: ${Math.round(100 * got)} %.`, "half"] : ["Not right.", "poor"];
  verdict.textContent = words;
  verdict.className = `verdict scripted ${kind}`;
  step.classList.add("done");
  step.querySelector("details.answer").open = true;
  all("input", step).forEach((input) => {
    input.checked = Array.isArray(answer) && question.kind !== "place" && answer.includes(Number(input.value));
    input.disabled = true;
  });
  all(":scope > .answer > .key-list > li", step).forEach((item, choice) => {
    item.classList.toggle("mine", question.kind !== "place" && answer.includes(choice));
  });
  if (question.kind === "place") viewers[number].reveal(question.target);
  refresh();
  return verdict;
}

function refresh() {
  cases.forEach((section, number) => {
    const first = answers[number].indexOf(null);
    all(".step", section).forEach((step, at) => step.classList.toggle("later", first >= 0 && at > first));
    section.classList.toggle("finished", first < 0);
    stand(section, number, first);
    const { points, of, open } = totals(number);
    const begun = open < answers[number].length;
    document.querySelector(`.mark[data-case="${number}"]`).textContent = begun ? `(${tidy(points)} of ${of}${open ? ", " + open + " open" : ""})` : "";
  });
  const { points, of, open } = totals();
  document.getElementById("score").textContent = `${tidy(points)} of ${of} points, ${percent()} %.` + (open ? ` ${open} questions are open.` : " All questions are answered.");
  const review = document.getElementById("review");
  review.replaceChildren();
  answers.forEach((own, number) => own.forEach((answer, at) => {
    if (answer === null) return;
    const item = review.appendChild(document.createElement("li"));
    const link = item.appendChild(document.createElement("a"));
    const got = share(number, at);
    link.href = `#c${number + 1}q${at + 1}`;
    link.textContent = `${number + 1}.${at + 1} ${all("legend", cases[number])[at].textContent}`;
    item.append(` ${got === null ? "not counted" : got === 1 ? "right" : got > 0 ? `${Math.round(100 * got)} %` : "not right"}`);
  }));
}

/* On a narrow screen the image stands at the question that asks for a click, else before all. */
function stand(section, number, open) {
  const asks = open >= 0 && data.cases[number].questions[open].kind === "place";
  const narrow = window.matchMedia("(max-width: 900px)").matches;
  const place = asks && narrow ? all(".step", section)[open] : section.querySelector(".bench");
  if (viewers[number].root.parentNode !== place) place.prepend(viewers[number].root);
}

const tidy = (points) => String(Math.round(10 * points) / 10);

function answered(number, at) {
  const question = data.cases[number].questions[at];
  if (question.kind === "place") {
    const mark = viewers[number].mark;
    return mark && [mark.scan, mark.slice, mark.x, mark.y];
  }
  const chosen = all(".step", cases[number])[at].querySelectorAll("input:checked");
  return chosen.length ? Array.from(chosen, (input) => Number(input.value)) : null;
}

/* Which case is shown follows the address, so that a question can be linked to. */
function go() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const wanted = target && target.closest(".part");
  const folded = target && target.closest("details");
  if (folded) folded.open = true;
  if (target && !wanted) return target.scrollIntoView();
  const shown = wanted || cases[0];
  all(".part").forEach((section) => section.classList.toggle("shown", section === shown));
  all(".cases a").forEach((link) => {
    if (link.hash === `#${shown.id}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  if (!target) return;
  target.scrollIntoView();
  const heading = target === shown && target.querySelector("h2");
  if (heading) heading.focus({ preventScroll: true });
}

/* What the course is told: this answer, and where the whole stands. */
function tell(number, at) {
  const question = data.cases[number].questions[at];
  const answer = answers[number][at];
  const got = share(number, at);
  if (got !== null) {
    const letters = (choices) => choices.map((choice) => "abcdefghijklmnop"[choice]).join(",");
    const click = question.kind === "place";
    course.interaction({
      id: `c${number + 1}q${at + 1}`,
      type: click ? "performance" : "choice",
      ...(click ? {} : { "correct_responses.0.pattern": letters(question.right) }),
      student_response: click ? answer.join(" ") : letters(answer),
      result: got === 1 ? "correct" : got > 0 ? got.toFixed(2) : "wrong",
    });
  }
  save();
}

function save() {
  course.save(percent(), JSON.stringify(answers), !totals().open);
}

cases.forEach((section, number) => {
  viewers.push(new Viewer(section.querySelector(".viewer"), data.cases[number].scans, number));
  all(".step", section).forEach((step, at) => {
    const finish = (answer) => {
      const verdict = settle(number, at, answer);
      tell(number, at);
      verdict.focus();
    };
    step.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const answer = answered(number, at);
      const missing = data.cases[number].questions[at].kind === "place" ? "Click on the image first." : "Choose first.";
      step.querySelector(".missing").textContent = answer ? "" : missing;
      if (answer) finish(answer);
    });
    const skip = step.querySelector(".skip");
    if (skip) skip.addEventListener("click", () => finish("skipped"));
  });
});

const saved = course.saved();
if (Array.isArray(saved)) {
  saved.forEach((own, number) => (own || []).forEach((answer, at) => {
    if (answer !== null && (answers[number] || []).length > at) settle(number, at, answer);
  }));
}
document.getElementById("again").addEventListener("click", () => {
  answers.forEach((own) => own.fill(null));
  all(".step").forEach((step) => {
    step.classList.remove("done");
    step.querySelector("form").reset();
    all("input", step).forEach((input) => (input.disabled = false));
  });
  viewers.forEach((viewer) => {
    Object.assign(viewer, { mark: null, outlines: false });
    viewer.show();
  });
  refresh();
  save();
  location.hash = "#case-1";
});
window.addEventListener("hashchange", go);
window.addEventListener("pagehide", () => course.leave(!totals().open));
refresh();
go();
