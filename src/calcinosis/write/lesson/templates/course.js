/* SCORM 1.2 (ADL 2001): a learning-management system offers an object named API in a window above
   ours, or above the one that opened ours. Without one all of this does nothing. */
class Course {
  constructor() {
    this.api = this.find(window) || (window.opener ? this.find(window.opener) : null);
    this.begun = Date.now();
    this.open = Boolean(this.api) && String(this.api.LMSInitialize("")) === "true";
    this.told = this.open ? Number(this.get("interactions._count")) || 0 : 0;
  }

  find(from) {
    for (let above = from, steps = 0; steps < 50; above = above.parent, steps += 1) {
      try {
        if (above.API) return above.API;
      } catch (_) {
        return null; // a window of another site
      }
      if (above.parent === above) return null;
    }
    return null;
  }

  get(name) {
    return this.api.LMSGetValue(`cmi.${name}`);
  }

  set(name, value) {
    this.api.LMSSetValue(`cmi.${name}`, String(value));
  }

  /* The answers given before; null where there are none. */
  saved() {
    if (!this.open) return null;
    const status = this.get("core.lesson_status");
    if (!status || status === "not attempted") this.set("core.lesson_status", "incomplete");
    try {
      return JSON.parse(this.get("suspend_data") || "null");
    } catch (_) {
      return null;
    }
  }

  interaction(values) {
    if (!this.open) return;
    for (const [name, value] of Object.entries(values)) this.set(`interactions.${this.told}.${name}`, value);
    this.told += 1;
  }

  save(percent, answers, complete) {
    if (!this.open) return;
    this.set("core.score.min", 0);
    this.set("core.score.max", 100);
    this.set("core.score.raw", percent);
    this.set("suspend_data", answers);
    if (complete) this.set("core.lesson_status", "completed");
    this.api.LMSCommit("");
  }

  leave(complete) {
    if (!this.open) return;
    this.open = false;
    const seconds = Math.round((Date.now() - this.begun) / 1000);
    const two = (value) => String(value).padStart(2, "0");
    const hours = String(Math.floor(seconds / 3600)).padStart(4, "0");
    this.set("core.session_time", `${hours}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`);
    this.set("core.exit", complete ? "" : "suspend");
    this.api.LMSFinish("");
  }
}
