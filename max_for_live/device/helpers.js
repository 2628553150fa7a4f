// Tasks, numbers, words and paths.

var EXACT_BEATS = 1e-6;

// Tasks that have not run yet. Max would free a task that nothing refers to.
var pending_tasks = [];

function now_ms() {
    return new Date().getTime();
}

// Runs the action in a task of its own.
function later(action, ms) {
    var task = new Task(function () {
        cancel_task(task);
        action();
    });
    pending_tasks.push(task);
    task.schedule(ms);
    return task;
}

function cancel_task(task) {
    if (!task) return;
    task.cancel();
    var at = pending_tasks.indexOf(task);
    if (at >= 0) pending_tasks.splice(at, 1);
}

function clamp(value, low, high) {
    return Math.min(Math.max(value, low), high);
}

function file_name(path) {
    return path.replace(/^.*\//, "");
}

// Max writes "/Users/…" as "Macintosh HD:/Users/…"; Windows writes backslashes.
function posix_path(path) {
    var volume = /^([^\/\\]{2,}):(\/.*)$/.exec(path);
    return (volume ? volume[2] : path).replace(/\\/g, "/");
}

// Runs an action that Live may refuse. A refusal is no fault of the script: the caller reads back
// whether the action had an effect.
function attempt(action) {
    try {
        action();
    } catch (error) {
        post("melody_bridge: " + error + "\n");
    }
}

function near(a, b) {
    return Math.abs(a - b) < EXACT_BEATS;
}

// Such as "1 bar" and "2 bars".
function count_of(amount, word) {
    return amount + " " + word + (amount === 1 ? "" : "s");
}
