//! What is in `deploy`: the settings of a hosted service work as they are, with other directories and ports.

use glovebox_tests::{Client, Server, command, here};
use serde_json::json;

#[test]
fn two_tenants_work_on_a_server_with_the_example_settings() {
    let deploy = here().parent().expect("the repository").join("deploy");
    let (settings, policies) = (deploy.join("example.toml"), deploy.join("policies"));
    let [settings, policies] = [&settings, &policies].map(|path| path.to_str().expect("UTF-8"));
    let environment = [
        ("GLOVEBOX_CONFIG", settings),
        ("GLOVEBOX_POLICIES_DIR", policies),
        ("GLOVEBOX_ARTIFACTS_LISTEN", "127.0.0.1:0"),
        // Whether this machine gives every layer is another test's matter.
        ("GLOVEBOX_REQUIRE_JAIL", "false"),
    ];
    let server = Server::start(&environment);
    let admin = server.said.lines().find(|line| line.starts_with("gbx_")).expect("the first key is shown");
    let glovebox = |args: &[&str]| {
        let mut command = command();
        command.args(args).arg("--data-dir").arg(server.data.path()).envs(environment).env("GLOVEBOX_API_KEY", admin);
        let output = command.output().expect("it starts");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let artifacts: Vec<_> = [("acme", "customer"), ("globex", "strict")]
        .into_iter()
        .map(|(tenant, policy)| {
            glovebox(&["tenant", "add", tenant, "--policy", policy]);
            let client = Client::with_key(&server.url, &glovebox(&["key", "create", "--tenant", tenant]));
            let run = client.run(&format!("open('who.txt', 'w').write('{tenant}'); print('hello from {tenant}')"));
            assert_eq!(run["policy"], policy);
            assert_eq!(run["outcome"]["stdout"], format!("hello from {tenant}\n"));
            let id = run["artifacts"][0]["id"].as_str().expect("an artifact").to_owned();
            (client, tenant, id)
        })
        .collect();
    for (client, tenant, _) in &artifacts {
        for (_, owner, id) in &artifacts {
            let answer = client.get(&format!("/api/v1/artifacts/{id}/content"));
            let theirs = (200, owner.as_bytes());
            assert!(owner != tenant || (answer.status, &answer.body[..]) == theirs, "{tenant}: {}", answer.status);
            assert!(owner == tenant || answer.status == 404, "{tenant} reads what {owner} made");
        }
        let link = client.post(&format!("/api/v1/artifacts/{}/url", artifacts[0].2), &json!({}));
        assert_eq!(link.status, if *tenant == "acme" { 200 } else { 404 });
        assert!(*tenant != "acme" || link.text().contains("https://glovebox-artifacts.example/acme/"));
    }
    let usage = glovebox(&["tenant", "usage"]);
    assert!(usage.contains(",acme,1,0,") && usage.contains(",globex,1,0,"), "{usage}");
}
