// The connection to the daemon: find it, keep it alive, and show its state.

// The device tries this many ports, from FIRST_PORT on: see `search`.
var PORTS = 32;
var HELLO_MS = 1000;
var KEEP_ALIVE_MS = 3000;
// After two missing answers the daemon counts as gone.
var SILENT_MS = 7000;

var link = {
    // The name that the daemon knows this device by, the device's port and the daemon's.
    client: "", port: FIRST_PORT, daemon_port: 0,
    connected: false, last_heard_ms: 0,
    // From the daemon: its folder for recordings, its engine's state, its checkpoint.
    takes: "", engine: "", model: ""
};
// Numbers the ids of requests and captures.
var counter = 0;
var keep_alive_task = null;

// Looks for the daemon: listens on a port and subscribes with it, until a hello with this client's
// own name comes back. If another device of the set already listens on that port, the hello goes to
// that device, and this one tries the next port.
function search() {
    link.connected = false;
    show_link();
    subscribe();
}

function subscribe() {
    outlet(SHOW, "listen_on", "port", link.port);
    send(["/bridge/subscribe", link.port, link.client]);
    cancel_task(keep_alive_task);
    keep_alive_task = later(try_next_port, HELLO_MS);
}

function try_next_port() {
    link.port = FIRST_PORT + ((link.port - FIRST_PORT + 1) % PORTS);
    subscribe();
}

// Subscribes again rather than pings: a restarted daemon would answer a ping, but send no events.
function keep_alive() {
    if (now_ms() - link.last_heard_ms > SILENT_MS) {
        search();
        return;
    }
    send(["/bridge/subscribe", link.port, link.client]);
    // The daemon may have been restarted, and messages may have been lost.
    send_transport();
    if (listing && now_ms() - listing.asked_ms > KEEP_ALIVE_MS) list_presets();
    repeat_notes();
    for (var i = 0; i < requests.length; i++) {
        if (now_ms() - requests[i].last_heard_ms > KEEP_ALIVE_MS) repeat_request(requests[i]);
    }
    keep_alive_task = later(keep_alive, KEEP_ALIVE_MS);
}

function on_hello(version, protocol, engine, model, client, takes) {
    if (client !== link.client) return;
    link.last_heard_ms = now_ms();
    link.engine = engine;
    link.model = model;
    link.takes = takes === undefined ? "" : String(takes);
    if (!link.connected) {
        link.connected = true;
        cancel_task(keep_alive_task);
        keep_alive_task = later(keep_alive, KEEP_ALIVE_MS);
        show_status("");
        list_presets();
        send_transport();
        requests.forEach(repeat_request);
    }
    show_link();
}

function on_engine(state, detail) {
    if (state === "failed") show_status("The engine failed: " + detail);
    else if (link.engine === "failed") show_status("");
    link.engine = state;
    show_link();
}

function on_input(state, device) {
    if (state !== "lost") return;
    show_status("The daemon lost its input " + device + ": is it still plugged in?");
}

function on_level(peak_db) {
    outlet(SHOW, "daemon_level", "db", peak_db);
}

function send(message) {
    outlet(OSC, message);
}

function next_id() {
    counter += 1;
    return link.client + "-" + counter;
}

function is_own(id) {
    return String(id).indexOf(link.client + "-") === 0;
}

// Whether there is a daemon; if not, the status line says how to start one.
function is_connected() {
    if (link.connected) return true;
    show_status("The daemon does not answer: start it with  melody-bridge run");
    return false;
}
