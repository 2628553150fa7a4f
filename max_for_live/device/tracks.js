// The device's own track, and the track for clips: found, chosen or made.

var AUTOMATIC = "Automatic";
var TAKES_NO_AUDIO = "takes no audio";

// 0: the chosen track is known by its name alone, `texts.target`.
var chosen_track_id = 0;
// The tracks in the menu: the id and the name of each.
var menu_tracks = [];

function own_track() {
    var api = new LiveAPI("this_device");
    // Goes up through racks and chains, however deep they are nested, to the track.
    for (var i = 0; i < 64 && exists(api) && api.type !== "Track"; i++) {
        api = new LiveAPI("id " + child_id(api, "canonical_parent"));
    }
    return api;
}

// Whether there is a track for clips, or one can be made; if not, the status line says why.
function can_place() {
    return !texts.target || usable_track(chosen_track()) !== null;
}

// The track for clips: the chosen one, or the automatic one, which is made if it is missing. Null
// if there is none; then the status line says why.
function target_track() {
    if (texts.target) return usable_track(chosen_track());
    var own = id_of(own_track());
    return find_track(function (track) {
        return Number(track.id) !== own && string(track, "name") === TRACK_NAME
            && !unusable_reason(track);
    }) || make_track();
}

// Found by its id, which stays the same while the set is open, or else by its name.
function chosen_track() {
    if (chosen_track_id === 0) {
        var named = find_track(function (candidate) {
            return string(candidate, "name") === texts.target;
        });
        chosen_track_id = id_of(named);
        return named;
    }
    var track = new LiveAPI("id " + chosen_track_id);
    if (!exists(track)) return null;
    // The track may have been renamed.
    if (string(track, "name") !== texts.target) save_text("target", string(track, "name"));
    return track;
}

// The first track that matches; null: none does.
function find_track(matches) {
    var found = null;
    each_child(song, "tracks", function (track) {
        if (matches(track)) found = track;
        return found !== null;
    });
    return found;
}

// The track if it can take clips; else null, and the status line says why not.
function usable_track(track) {
    var reason = track ? unusable_reason(track) : "is gone";
    // The input of the device's own track would silence the clip.
    if (track && id_of(track) === id_of(own_track())) reason = "is this device's own";
    if (!reason) return track;
    var name = track ? quoted(track) : "\u201c" + texts.target + "\u201d";
    show_status("The track " + name + " " + reason + ": choose another under Track.");
    return null;
}

// Why a track cannot take an audio clip; empty: it can.
function unusable_reason(track) {
    if (number(track, "is_foldable")) return "is a group";
    if (!number(track, "has_audio_input")) return TAKES_NO_AUDIO;
    if (number(track, "is_frozen")) return "is frozen";
    return "";
}

// Makes the automatic track, next to the device's own.
function make_track() {
    var track = make_track_by("create_audio_track", TRACK_NAME);
    if (!track) show_status("Live made no track for clips: choose one under Track.");
    return track;
}

// Makes a track with that call and name, next to the device's own; null: Live makes none.
function make_track_by(call, name) {
    var ids = child_ids(song, "tracks");
    var own = id_of(own_track());
    var at = -1;
    for (var i = 0; i < ids.length; i++) if (ids[i] === own && i + 1 < ids.length) at = i + 1;
    attempt(function () { song.call(call, at); });
    var after = child_ids(song, "tracks");
    for (var j = 0; j < after.length; j++) {
        if (ids.indexOf(after[j]) < 0) {
            var track = new LiveAPI("id " + after[j]);
            track.set("name", name);
            return track;
        }
    }
    return null;
}

function choose_target(index) {
    var track = index > 0 ? menu_tracks[index - 1] : null;
    chosen_track_id = track ? track.id : 0;
    save_text("target", track ? track.name : "");
    show_status("");
    var waiting = unplaced;
    unplaced = [];
    for (var i = 0; i < waiting.length; i++) place_clip(waiting[i]);
}

// Fills the menu of tracks, each time Live's list changes. The menu leaves out this device's own
// track, whose input would silence the clips.
function show_tracks() {
    var own = id_of(own_track());
    menu_tracks = [];
    each_child(song, "tracks", function (track) {
        if (Number(track.id) !== own && !unusable_reason(track)) {
            menu_tracks.push({ id: Number(track.id), name: string(track, "name") });
        }
    });
    outlet(SHOW, "target_menu", "clear");
    outlet(SHOW, "target_menu", "append", AUTOMATIC);
    var shown = 0;
    for (var i = 0; i < menu_tracks.length; i++) {
        outlet(SHOW, "target_menu", "append", menu_tracks[i].name);
        var is_chosen = chosen_track_id
            ? menu_tracks[i].id === chosen_track_id : menu_tracks[i].name === texts.target;
        if (texts.target && is_chosen && shown === 0) shown = i + 1;
    }
    if (shown === 0 && texts.target) {
        // The track is gone, frozen or a group: it stays chosen, and Generate says what is wrong.
        outlet(SHOW, "target_menu", "append", texts.target);
        shown = menu_tracks.length + 1;
    }
    outlet(SHOW, "target_menu", "set", shown);
}
