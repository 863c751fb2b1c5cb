//! Rooms, and hearing only one of them.

pages! {
    "room-create" room_create |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "room-create kitchen");
        scene.says(anna, "room-create cellar ben --access invite");
        scene.says(ben, r#"{"id":1,"request":"room-create","room":"garden","members":["anna","cleo"]}"#);
        scene.says(ben, r#"{"id":2,"request":"room-create","room":"roof","members":["cleo"],"access":"open"}"#);
        scene.note("a name is there once, and so are the same members");
        scene.says(anna, "room-create Kitchen");
        scene.says(anna, "room-create pond cleo ben");
        scene.says(anna, "room-create lobby");
        scene.says(anna, "room-create 'my room'");
        scene.says(anna, "room-create pond anna");
        scene.says(anna, "room-create pond zoe");
        scene.says(cleo, "quit");
        scene.says(anna, "room-create pond ben cleo");
        scene.says(ben, r#"{"id":3,"request":"room-create","room":"cellar"}"#);
        scene.says(ben, r#"{"id":4,"request":"room-create","room":"pond","members":["anna","ben"]}"#);
        scene.says(ben, r#"{"id":5,"request":"room-create","room":"pond","members":["anna","cleo"]}"#);
        scene.says(ben, r#"{"id":6,"request":"room-create","room":"pond","access":"closed"}"#);
        scene.says(ben, r#"{"id":7,"request":"room-create"}"#);
    };

    "rooms" rooms |scene| {
        let (anna, ben, _cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "rooms");
        scene.says(anna, "room-create kitchen");
        scene.says(anna, "room-create cellar cleo");
        scene.says(anna, "rooms");
        scene.note("ben is not in the cellar, and does not see it");
        scene.says(ben, r#"{"id":1,"request":"rooms"}"#);
        scene.says(ben, r#"{"id":2,"request":"rooms","room":"kitchen"}"#);
    };

    "room-join" room_join |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "room-create kitchen");
        scene.says(anna, "room-create cellar cleo");
        scene.says(cleo, "room-join KITCHEN");
        scene.says(cleo, "room-join kitchen");
        scene.says(cleo, "room-join attic");
        scene.says(ben, r#"{"id":1,"request":"room-join","room":"kitchen"}"#);
        scene.says(ben, r#"{"id":2,"request":"room-join","room":"kitchen"}"#);
        scene.says(ben, r#"{"id":3,"request":"room-join","room":"cellar"}"#);
        scene.says(ben, r#"{"id":4,"request":"room-join","room":"attic"}"#);
    };

    "room-invite" room_invite |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "room-create cellar cleo");
        scene.says(cleo, "room-invite cellar ben");
        scene.says(ben, r#"{"id":1,"request":"say","room":"cellar","text":"it is dark here"}"#);
        scene.says(anna, "room-invite cellar ben");
        scene.says(anna, "room-invite cellar anna");
        scene.says(anna, "room-invite cellar zoe");
        scene.says(anna, "room-invite cellar");
        scene.says(ben, r#"{"id":2,"request":"room-leave","room":"cellar"}"#);
        scene.says(ben, r#"{"id":3,"request":"room-invite","room":"cellar","members":["anna"]}"#);
        scene.says(ben, r#"{"id":4,"request":"room-invite","room":"attic","members":["anna"]}"#);
        scene.says(ben, r#"{"id":5,"request":"room-create","room":"attic"}"#);
        scene.says(ben, r#"{"id":6,"request":"room-invite","room":"attic","members":["anna","cleo"]}"#);
        scene.says(ben, r#"{"id":7,"request":"room-invite","room":"attic","members":["cleo"]}"#);
        scene.says(ben, r#"{"id":8,"request":"room-invite","room":"attic","members":[]}"#);
    };

    "room-leave" room_leave |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "room-create kitchen ben cleo");
        scene.says(cleo, "room-leave kitchen");
        scene.says(cleo, "room-leave kitchen");
        scene.says(cleo, "room-leave attic");
        scene.says(ben, r#"{"id":1,"request":"room-leave","room":"kitchen"}"#);
        scene.says(ben, r#"{"id":2,"request":"room-leave","room":"kitchen"}"#);
        scene.note("a room without members is gone");
        scene.says(anna, "room-leave kitchen");
        scene.says(anna, "rooms");
        scene.says(ben, r#"{"id":3,"request":"room-leave","room":"kitchen"}"#);
    };

    "members" members |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "room-create kitchen ben cleo");
        scene.says(cleo, "quit");
        scene.says(anna, "members kitchen");
        scene.says(anna, "members attic");
        scene.says(ben, r#"{"id":1,"request":"members","room":"kitchen"}"#);
        scene.note("anyone may see who is in an open room, and only members who is in another");
        scene.says(anna, "room-create garden");
        scene.says(ben, r#"{"id":2,"request":"members","room":"garden"}"#);
        scene.says(ben, r#"{"id":3,"request":"room-leave","room":"kitchen"}"#);
        scene.says(ben, r#"{"id":4,"request":"members","room":"kitchen"}"#);
        scene.says(ben, r#"{"id":5,"request":"members","room":"attic"}"#);
    };

    "say" say |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "room-create kitchen ben");
        scene.says(anna, "say kitchen soup is ready");
        scene.says(ben, r#"{"id":1,"request":"say","room":"KITCHEN","text":"coming"}"#);
        scene.note("the lobby is everybody who is there");
        scene.says(cleo, "say lobby I smell soup");
        scene.says(cleo, "say kitchen may I come?");
        scene.says(cleo, "say attic hello?");
        scene.says(cleo, "say kitchen");
        scene.says(ben, r#"{"id":2,"request":"say","room":"attic","text":"hello?"}"#);
        scene.says(ben, r#"{"id":3,"request":"say","room":"kitchen","text":""}"#);
        scene.says(ben, r#"{"id":4,"request":"room-leave","room":"kitchen"}"#);
        scene.says(ben, r#"{"id":5,"request":"say","room":"kitchen","text":"hello?"}"#);
        scene.says(anna, "say kitchen is anybody here?");
    };

    "focus" focus |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(cleo, "room-create kitchen anna ben");
        scene.says(cleo, "room-create garden anna");
        scene.says(anna, "focus attic");
        scene.says(anna, "focus kitchen");
        scene.says(ben, r#"{"id":1,"request":"focus","room":"garden"}"#);
        scene.says(ben, r#"{"id":2,"request":"focus","room":"kitchen"}"#);
        scene.note("only what is said in the kitchen is told now");
        scene.says(cleo, "broadcast the sun is shining");
        scene.says(cleo, "say garden come out, anna");
        scene.says(cleo, "say kitchen what's cooking?");
        scene.note("another room may be the one to hear; what has waited comes first");
        scene.says(anna, "focus garden");
        scene.note("leaving the room ends it, too");
        scene.says(ben, r#"{"id":3,"request":"room-leave","room":"kitchen"}"#);
    };

    "unfocus" unfocus |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "unfocus");
        scene.says(ben, r#"{"id":1,"request":"unfocus"}"#);
        scene.says(cleo, "room-create kitchen anna ben");
        scene.types(anna, "focus kitchen");
        scene.says(ben, r#"{"id":2,"request":"focus","room":"kitchen"}"#);
        scene.says(cleo, "broadcast one");
        scene.says(cleo, "message anna two");
        scene.says(cleo, "say kitchen three");
        scene.note("a minute later");
        scene.wait_ms(60_000);
        scene.says(anna, "unfocus");
        scene.says(ben, r#"{"id":3,"request":"unfocus"}"#);
    };
}
