//! Direct connections.

pages! {
    "private-open" private_open |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "private-open ben");
        scene.says(anna, "private-open BEN");
        scene.says(anna, "private-open anna");
        scene.says(anna, "private-open zoe");
        scene.says(cleo, "quit");
        scene.says(anna, "private-open cleo");
        scene.says(anna, "private-open");
        scene.note("it is open for both");
        scene.says(ben, r#"{"id":1,"request":"private-open","to":"anna"}"#);
        scene.says(ben, r#"{"id":2,"request":"private-open","to":"ben"}"#);
        scene.says(ben, r#"{"id":3,"request":"private-open","to":"cleo"}"#);
        scene.says(ben, r#"{"id":4,"request":"private-open","to":"zoe"}"#);
        let cleo = scene.returns(cleo);
        scene.says(ben, r#"{"id":5,"request":"private-open","to":"cleo"}"#);
        scene.note("who leaves closes it");
        scene.says(cleo, "quit");
    };

    "private" private |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.note("the first message opens the connection");
        scene.says(anna, "private ben just between us");
        scene.says(anna, "private ben it's \"quoted\"");
        scene.says(ben, r#"{"id":1,"request":"private","to":"anna","text":"nobody else reads this"}"#);
        scene.says(anna, "private anna a note");
        scene.says(anna, "private zoe hello");
        scene.says(anna, "private ben");
        scene.note("what is sent past the hub is not kept: they must be there");
        scene.says(cleo, "quit");
        scene.says(anna, "private cleo hello");
        scene.says(ben, r#"{"id":2,"request":"private","to":"ben","text":"a note"}"#);
        scene.says(ben, r#"{"id":3,"request":"private","to":"cleo","text":"hello"}"#);
        scene.says(ben, r#"{"id":4,"request":"private","to":"anna","text":""}"#);
        scene.note("who is blocked does not learn of it");
        scene.says(anna, "block ben");
        scene.says(ben, r#"{"id":5,"request":"private","to":"anna","text":"can you hear me?"}"#);
    };

    "ping" ping |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.note("the first one opens the direct connection");
        scene.says(anna, "ping BEN");
        scene.says(anna, "ping ben");
        scene.says(ben, r#"{"id":1,"request":"ping","to":"anna"}"#);
        scene.note("it is asked of somebody who is there");
        scene.says(cleo, "quit");
        scene.says(anna, "ping cleo");
        scene.says(anna, "ping anna");
        scene.says(ben, r#"{"id":2,"request":"ping","to":"zoe"}"#);
        scene.says(anna, "ping");
    };

    "private-close" private_close |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "private-close ben");
        scene.says(anna, "private-open ben");
        scene.says(anna, "private-close BEN");
        scene.says(anna, "private-close ben");
        scene.says(anna, "private-close zoe");
        scene.says(ben, r#"{"id":1,"request":"private","to":"anna","text":"once more"}"#);
        scene.says(ben, r#"{"id":2,"request":"private-close","to":"anna"}"#);
        scene.says(ben, r#"{"id":3,"request":"private-close","to":"anna"}"#);
        scene.note("it can break, too");
        scene.says(anna, "private-open ben");
        let client = scene.client(anna);
        scene.sim.break_private(client);
        scene.wait_ms(500);
    };
}
