"""The checksum of a revision is unchanged when a name of `ops` is renamed."""

from service.migrate.plan import checksum
from service.migrate.plan.config import scripts

# As databases recorded them when a backfill was written `ops.Fill(…)`.
RECORDED = {
    "0001_create_users": "212fdbceacc400c0d9accc03c7089179865e295ed5221c07b09520c6c50422fe",
    "0002_add_age_to_users": "512d2229b2814a226b74b83c0d139f7d8c32792c1766d36282dc980339487ed4",
    "0003_add_address_to_users": "427e42bb2109867227d40eb068b05c89c5666658e32f44457eb1920835c07386",
    "0004_create_records": "6dad883583340bbe5158255556f40341688b85822148deb2b4bcad690b62552c",
    "0005_create_departments": "10bf0744421842b69557797e8b17569dc12f0912c8cbd550d2df9ea9664fcdab",
    "0006_link_departments": "1faaf4f7254cd7ccb1569dabacd5c2c1ebbbad55a7821a908aa078d6fb135079",
    "0007_extend_users": "db36cf8b6ece1436b91bb73de95c19b2a704a358f5be31732a0ac2629adee7f9",
    "0008_fold_users": "95019a9a3479c47c6a688e5418277abbb94a94a5bfc6530405047ed6a15ddc44",
    "0009_count_changes": "0f71122016fd736b2d81e31b6172f586f935ad52f473e723d73721b653621012",
    "0010_extend_records": "e45a595c091ac78a502701ad05f142683785f36276b6e0a0dac18b3b74398b9c",
    "0011_extend_departments": "b0fb028f3fb01e3607d6d07575fd37d35accd46e682c519035da8ee98fa51e1c",
    "0012_extend_employees": "04791c088bf85a56ba0a72d53f8ab576d9981213784316f0cc974da12227e32a",
    "0013_date_links": "f9afc0471beb6271cc1e6184c4064454b1edf98ac392e440c3aa402e24e8190e",
    "0014_create_idempotency_keys": "88fa8ff30c1b007ae8fa783b77ff1790050b1340f98ff4a176617062c160a5cc",
    "0015_drop_department_id": "c1fa08370d77c0ac6f4b255fb486f7985453aef7d2b4804bbbfe3a29722d7618",
    "0016_widen_record_titles": "bbdcca97480d83f4f9dda64aa1539428e9211b2c90f5317d20f31cbedd500628",
}


def test_revisions_applied_before_a_rename_are_not_edited() -> None:
    revisions = list(scripts().walk_revisions())
    assert RECORDED.keys() <= {each.revision for each in revisions}
    assert checksum.mismatches(RECORDED, revisions) == []


def test_another_checksum_is_an_edit() -> None:
    first = next(iter(scripts().walk_revisions()))
    assert checksum.mismatches({first.revision: "another"}, [first]) == [first.revision]
