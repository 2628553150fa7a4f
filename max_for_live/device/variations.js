// The clips of the newest request: launch, discard and reveal them.

// What the daemon has reported of the clips of the newest request.
var variations = [];
var newest_path = "";

function launch(index) {
    var clip = variation(index);
    var slots = clip ? slots_playing(clip.path, true) : [];
    if (slots.length > 0) new LiveAPI("id " + slots[0]).call("fire");
    else show_status("There is no clip " + LETTERS[index].toUpperCase() + " in a slot.");
}

// Empties the slots first: a clip whose file has been moved would lose its sound.
function discard(index) {
    if (!is_connected()) return;
    var clip = variation(index);
    if (!clip) {
        show_status("There is no clip " + LETTERS[index].toUpperCase() + ".");
        return;
    }
    if (is_in_arrangement(clip.path)) {
        show_status(clip.name + " is in the Arrangement too: delete it there, then discard it.");
        return;
    }
    var slots = slots_playing(clip.path, false);
    for (var i = 0; i < slots.length; i++) {
        var slot = new LiveAPI("id " + slots[i]);
        attempt(function () { slot.call("delete_clip"); });
        if (number(slot, "has_clip")) {
            show_status("Live cannot delete " + clip.name + " from its slot: is its track frozen?");
            return;
        }
    }
    variations.splice(variations.indexOf(clip), 1);
    unplaced = unplaced.filter(function (other) { return other !== clip; });
    send(["/bridge/discard", clip.id, clip.index]);
    show_variations();
}

// The clip of that index; null: there is none.
function variation(index) {
    for (var i = 0; i < variations.length; i++) {
        if (variations[i].index === index) return variations[i];
    }
    return null;
}

function reveal() {
    if (!newest_path) {
        show_status("No clip has been made yet.");
        return;
    }
    var folder = newest_path.replace(/\/[^\/]*$/, "");
    var escaped = encodeURI(folder).replace(/#/g, "%23").replace(/\?/g, "%3F");
    max.launchbrowser("file://" + (folder.charAt(0) === "/" ? "" : "/") + escaped);
    // Some systems open nothing and report no error, so the path is shown too.
    show_status("Clips are in " + folder);
}

// Ids of all slots whose clip plays that file, wherever the user has moved or copied it; with
// `only_first`, of one slot.
function slots_playing(path, only_first) {
    var found = [];
    var clip = new LiveAPI();
    each_child(song, "tracks", function (track) {
        if (unusable_reason(track) === TAKES_NO_AUDIO) return false;
        each_child(track, "clip_slots", function (slot) {
            if (number(slot, "has_clip")) {
                clip.id = child_id(slot, "clip");
                if (plays_file(clip, path)) found.push(Number(slot.id));
            }
            return only_first && found.length > 0;
        });
        return only_first && found.length > 0;
    });
    return found;
}

function is_in_arrangement(path) {
    var found = false;
    each_child(song, "tracks", function (track) {
        // Asking a group for its clips is an error.
        if (number(track, "is_foldable") || unusable_reason(track) === TAKES_NO_AUDIO) return false;
        each_child(track, "arrangement_clips", function (clip) {
            found = plays_file(clip, path);
            return found;
        });
        return found;
    });
    return found;
}

// Compares the names of the files, which are unique: a folder can be written in several ways, and
// it changes when Live collects the set's files.
function plays_file(clip, path) {
    return number(clip, "is_audio_clip") === 1
        && file_name(posix_path(string(clip, "file_path"))) === file_name(path);
}
