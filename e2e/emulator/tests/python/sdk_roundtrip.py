"""Drives the emulator with the vendor's own SDKs, unchanged, from an empty account to traffic and back.

Both generations take part: the current one (signature ACS3-HMAC-SHA256) makes and deletes the objects, the
one before it (signature version 1.0) reads them, makes some of its own and deletes them. Exit status 0 means
that every statement held.

    sdk_roundtrip.py 127.0.0.1:18080 <access key id> <access key secret>
"""

import http.client
import http.server
import json
import sys
import threading

from alibabacloud_cloudapi20160714 import models as api
from alibabacloud_cloudapi20160714.client import Client as ApiGateway
from alibabacloud_slb20140515 import models as slb
from alibabacloud_slb20140515.client import Client as LoadBalancers
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as Networks
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

REGION = "cn-hangzhou"
BACKEND_HOST = "helloworld.default.example.com"


def expect(what, seen, wanted):
    """One statement about the emulator."""
    if seen != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, saw {seen!r}")


def expect_code(code, call, *arguments):
    """A call that must be refused with a code."""
    try:
        answer = call(*arguments)
    except ServerException as refusal:
        expect("code of the refusal", refusal.get_error_code(), code)
        return
    except Exception as refusal:  # the SDK's exception types differ between its versions
        expect("code of the refusal", getattr(refusal, "code", repr(refusal)), code)
        return
    raise AssertionError(f"wanted {code}, but it was answered: {answer}")


class Backend(http.server.BaseHTTPRequestHandler):
    """A service behind the gateway that, as a Knative gateway does, routes by Host."""

    def do_GET(self):
        known = self.headers["Host"] == BACKEND_HOST
        body = b"Hello World!\n" if known else b""
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Roundtrip:
    def __init__(self, endpoint, key, secret):
        self.endpoint = endpoint
        config = Config(
            access_key_id=key, access_key_secret=secret, region_id=REGION, endpoint=endpoint, protocol="http"
        )
        self.gateway, self.balancers, self.networks = ApiGateway(config), LoadBalancers(config), Networks(config)
        self.legacy_client = AcsClient(key, secret, REGION, auto_retry=False)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def legacy(self, action, **parameters):
        """A call by the SDK of the former generation."""
        request = CommonRequest(domain=self.endpoint, version="2016-07-14", action_name=action)
        request.set_protocol_type("http")
        request.set_method("POST")
        for name, value in parameters.items():
            request.add_query_param(name.replace("__", "."), value)
        return json.loads(self.legacy_client.do_action_with_exception(request))

    # -- the objects, in the order they need each other ------------------------------------------------

    def make_balancer(self):
        vpcs = self.networks.describe_vpcs(vpc.DescribeVpcsRequest(region_id=REGION)).body.vpcs.vpc
        expect("networks of a fresh account", len(vpcs), 1)
        self.vpc_id = vpcs[0].vpc_id
        switches = self.networks.describe_vswitches(
            vpc.DescribeVSwitchesRequest(region_id=REGION, vpc_id=self.vpc_id)
        ).body.v_switches.v_switch
        expect("vswitches of a fresh account", len(switches), 3)
        made = self.balancers.create_load_balancer(
            slb.CreateLoadBalancerRequest(
                region_id=REGION,
                load_balancer_name="gateway",
                address_type="intranet",
                vpc_id=self.vpc_id,
                v_switch_id=switches[0].v_switch_id,
                instance_charge_type="PayByCLCU",
            )
        ).body
        self.balancer_id = made.load_balancer_id
        port = self.server.server_address[1]
        servers = [{"ServerId": "eni-1", "ServerIp": "127.0.0.1", "Port": port, "Weight": 100, "Type": "eni"}]
        self.servers_id = self.balancers.create_vserver_group(
            slb.CreateVServerGroupRequest(
                region_id=REGION,
                load_balancer_id=self.balancer_id,
                vserver_group_name="servers",
                backend_servers=json.dumps(servers),
            )
        ).body.vserver_group_id
        self.balancers.create_load_balancer_tcplistener(
            slb.CreateLoadBalancerTCPListenerRequest(
                region_id=REGION,
                load_balancer_id=self.balancer_id,
                listener_port=80,
                bandwidth=-1,
                vserver_group_id=self.servers_id,
            )
        )

    def start_listener(self):
        self.balancers.start_load_balancer_listener(
            slb.StartLoadBalancerListenerRequest(
                region_id=REGION, load_balancer_id=self.balancer_id, listener_port=80, listener_protocol="tcp"
            )
        )

    def make_group(self):
        made = self.gateway.create_api_group(
            api.CreateApiGroupRequest(
                group_name="kn_default",
                description="made by the SDK",
                tag=[api.CreateApiGroupRequestTag(key="owner", value="sdk")],
            )
        ).body
        self.group_id, self.sub_domain = made.group_id, made.sub_domain
        expect("sub-domain", self.sub_domain, f"{self.group_id}-{REGION}.alicloudapi.com")
        shown = self.gateway.describe_api_group(api.DescribeApiGroupRequest(group_id=self.group_id)).body
        expect("name of the group", shown.group_name, "kn_default")
        again = api.CreateApiGroupRequest(group_name="kn_default")
        expect_code("RepeatedGroupName", self.gateway.create_api_group, again)
        unknown = api.DescribeApiGroupRequest(group_id="0" * 32)
        expect_code("NotFoundApiGroup", self.gateway.describe_api_group, unknown)
        tagged = self.gateway.describe_api_groups(
            api.DescribeApiGroupsRequest(tag=[api.DescribeApiGroupsRequestTag(key="owner", value="sdk")])
        ).body
        expect("groups with the tag", tagged.total_count, 1)

    def make_access(self):
        request = api.SetVpcAccessRequest(
            name="knav_helloworld", vpc_id=self.vpc_id, instance_id=self.balancer_id, port=80
        )
        self.gateway.set_vpc_access(request)
        expect_code("RepeatedVpcAccessName", self.gateway.set_vpc_access, request)
        found = self.gateway.describe_vpc_accesses(
            api.DescribeVpcAccessesRequest(name="knav_helloworld", accurate_query=True)
        ).body
        expect("port of the authorization", found.vpc_access_attributes.vpc_access_attribute[0].port, 80)

    def make_api(self):
        request_config = {
            "requestProtocol": "HTTP,HTTPS",
            "requestHttpMethod": "ANY",
            "requestPath": "/*",
            "requestMode": "MAPPING_PASSTHROUGH",
            "bodyFormat": "",
        }
        service_config = {
            "serviceProtocol": "HTTP",
            "serviceHttpMethod": "ANY",
            "servicePath": "/*",
            "serviceTimeout": 10000,
            "serviceVpcEnable": "TRUE",
            "mock": "FALSE",
            "vpcConfig": {"name": "knav_helloworld", "vpcScheme": ""},
        }
        # The constant in the form that Terraform sends.
        constant = {"parameterType": "String", "name": "Host", "apiParameterName": "Host", "location": "HEAD"}
        constant |= {"required": "REQUIRED", "defaultValue": BACKEND_HOST, "description": ""}
        service = {"serviceParameterName": "Host", "location": "HEAD", "parameterCatalog": "CONSTANT"}
        mapping = {"requestParameterName": "Host", "serviceParameterName": "Host"}
        request = api.CreateApiRequest(
            group_id=self.group_id,
            api_name="helloworld",
            visibility="PRIVATE",
            auth_type="APP",
            app_code_auth_type="HEADER_QUERY",
            request_config=json.dumps(request_config),
            service_config=json.dumps(service_config),
            request_parameters=json.dumps([constant]),
            service_parameters=json.dumps([service]),
            service_parameters_map=json.dumps([mapping]),
        )
        self.api_id = self.gateway.create_api(request).body.api_id
        expect_code("RepeatedApiName", self.gateway.create_api, request)
        shown = self.gateway.describe_api(api.DescribeApiRequest(api_id=self.api_id, group_id=self.group_id)).body
        expect("constant", shown.constant_parameters.constant_parameter[0].constant_value, BACKEND_HOST)
        expect("left request parameters", shown.request_parameters.request_parameter, [])
        expect("load balancer", shown.service_config.vpc_config.instance_id, self.balancer_id)

    def deploy(self):
        deployed = api.DescribeDeployedApiRequest(api_id=self.api_id, stage_name="RELEASE")
        expect_code("NotFoundStage", self.gateway.describe_deployed_api, deployed)
        self.gateway.deploy_api(
            api.DeployApiRequest(
                api_id=self.api_id, group_id=self.group_id, stage_name="RELEASE", description="by the SDK"
            )
        )
        runs = self.gateway.describe_deployed_api(deployed).body
        expect("path that runs", runs.request_config.request_path, "/*")
        index = self.gateway.describe_apis(api.DescribeApisRequest(group_id=self.group_id, page_size=100)).body
        infos = index.api_summarys.api_summary[0].deployed_infos.deployed_info
        expect("stage in the index", infos[0].stage_name, "RELEASE")
        history = self.gateway.describe_api_histories(api.DescribeApiHistoriesRequest(group_id=self.group_id)).body
        expect("version in the history", history.api_his_items.api_his_item[0].history_version, infos[0].effective_version)

    def make_app(self):
        self.app_id = self.gateway.create_app(
            api.CreateAppRequest(app_name="knative", app_code="sdk-code", description="made by the SDK")
        ).body.app_id
        security = self.gateway.describe_app_security(api.DescribeAppSecurityRequest(app_id=self.app_id)).body
        expect("code of the app", security.app_code, "sdk-code")
        self.gateway.tag_resources(
            api.TagResourcesRequest(
                resource_type="app",
                resource_id=[str(self.app_id)],
                tag=[api.TagResourcesRequestTag(key="owner", value="sdk")],
            )
        )
        tags = self.gateway.list_tag_resources(
            api.ListTagResourcesRequest(resource_type="app", resource_id=[str(self.app_id)])
        ).body.tag_resources.tag_resource
        expect("tags of the app", [(tag.tag_key, tag.tag_value) for tag in tags], [("owner", "sdk")])

    def grant(self):
        self.gateway.set_apps_authorities(
            api.SetAppsAuthoritiesRequest(api_id=self.api_id, app_ids=str(self.app_id), stage_name="RELEASE")
        )
        granted = self.gateway.describe_authorized_apps(
            api.DescribeAuthorizedAppsRequest(api_id=self.api_id, stage_name="RELEASE")
        ).body.authorized_apps.authorized_app
        expect("granted apps", [app.app_id for app in granted], [self.app_id])

    def limit(self, calls):
        data = f"unit: DAY\napiDefault: {calls}\n"
        self.plugin_id = self.gateway.create_plugin(
            api.CreatePluginRequest(plugin_name="kn_limit", plugin_type="trafficControl", plugin_data=data)
        ).body.plugin_id
        bad = api.ModifyPluginRequest(plugin_id=self.plugin_id, plugin_data="unit: WEEK")
        expect_code("InvalidPluginData", self.gateway.modify_plugin, bad)
        self.gateway.attach_plugin(
            api.AttachPluginRequest(plugin_id=self.plugin_id, api_id=self.api_id, stage_name="RELEASE")
        )
        bound = self.gateway.describe_plugins_by_api(
            api.DescribePluginsByApiRequest(api_id=self.api_id, group_id=self.group_id, stage_name="RELEASE")
        ).body.plugins.plugin_attribute
        expect("bound plugins", [plugin.plugin_id for plugin in bound], [self.plugin_id])
        expect_code(
            "DependencyViolationPlugin", self.gateway.delete_plugin, api.DeletePluginRequest(plugin_id=self.plugin_id)
        )

    # -- what consumers see --------------------------------------------------------------------------

    def get(self, path, **headers):
        connection = http.client.HTTPConnection(self.endpoint, timeout=20)
        connection.request("GET", path, headers={"Host": self.sub_domain} | headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, answer.getheader("X-Ca-Error-Code") or "", body

    def traffic(self):
        code = {"Authorization": "APPCODE sdk-code"}
        expect("before the domain is switched on", self.get("/", **code)[:2], (403, "A403IN"))
        self.gateway.modify_api_group_network_policy(
            api.ModifyApiGroupNetworkPolicyRequest(group_id=self.group_id, inner_domain_enable=True)
        )
        expect("before the listener runs", self.get("/", **code)[:2], (504, "D504CO"))
        self.start_listener()
        expect("with the code", self.get("/", **code), (200, "", "Hello World!\n"))
        expect("with the code in the query", self.get("/deep/path?AppCode=sdk-code")[0], 200)
        expect("without a code", self.get("/")[:2], (400, "A400MA"))
        expect("with a wrong code", self.get("/", Authorization="APPCODE wrong")[:2], (400, "A400AC"))
        expect("in another stage", self.get("/", **code, **{"X-Ca-Stage": "TEST"})[:2], (404, "I404NF"))
        self.limit(2)
        for _ in range(2):
            expect("within the limit", self.get("/", **code)[0], 200)
        expect("over the limit", self.get("/", **code)[:2], (429, "T429PR"))

    # -- the former generation -----------------------------------------------------------------------

    def former_generation(self):
        shown = self.legacy("DescribeApi", ApiId=self.api_id, GroupId=self.group_id)
        expect("name by the former SDK", shown["ApiName"], "helloworld")
        expect("wrapped twice", shown["ConstantParameters"]["ConstantParameter"][0]["Location"].upper(), "HEAD")
        made = [self.legacy("CreateApiGroup", GroupName=f"legacy_{index:02}")["GroupId"] for index in range(12)]
        first = self.legacy("DescribeApiGroups", GroupName="legacy_")
        expect("size of a page unless told", len(first["ApiGroupAttributes"]["ApiGroupAttribute"]), 10)
        expect("all there are", first["TotalCount"], 12)
        second = self.legacy("DescribeApiGroups", GroupName="legacy_", PageNumber="2", PageSize="7")
        expect("last page", len(second["ApiGroupAttributes"]["ApiGroupAttribute"]), 5)
        expect_code("InvalidPageSize", lambda: self.legacy("DescribeApiGroups", PageSize="51"))
        expect_code("MissingGroupId", lambda: self.legacy("DescribeApiGroup"))
        expect_code("InvalidApi.NotFound", lambda: self.legacy("NoSuchAction"))
        wrong = AcsClient(self.legacy_client.get_access_key(), "wrong", REGION, auto_retry=False)
        right, self.legacy_client = self.legacy_client, wrong
        expect_code("SignatureDoesNotMatch", lambda: self.legacy("DescribeApiGroups"))
        self.legacy_client = right
        for group_id in made:
            self.legacy("DeleteApiGroup", GroupId=group_id)
        self.legacy("DeleteApiGroup", GroupId=made[0])

    # -- away again ----------------------------------------------------------------------------------

    def delete_all(self):
        group = api.DeleteApiGroupRequest(group_id=self.group_id)
        expect_code("DependencyViolationApiGroup", self.gateway.delete_api_group, group)
        expect_code("DependencyViolationApi", self.gateway.delete_api, api.DeleteApiRequest(api_id=self.api_id))
        self.gateway.remove_apps_authorities(
            api.RemoveAppsAuthoritiesRequest(api_id=self.api_id, app_ids=str(self.app_id), stage_name="RELEASE")
        )
        self.gateway.abolish_api(api.AbolishApiRequest(api_id=self.api_id, stage_name="RELEASE"))
        self.gateway.delete_plugin(api.DeletePluginRequest(plugin_id=self.plugin_id))
        self.gateway.delete_api(api.DeleteApiRequest(api_id=self.api_id))
        self.gateway.delete_app(api.DeleteAppRequest(app_id=self.app_id))
        self.gateway.remove_vpc_access(
            api.RemoveVpcAccessRequest(vpc_id=self.vpc_id, instance_id=self.balancer_id, port=80)
        )
        self.gateway.delete_api_group(group)
        self.balancers.delete_load_balancer(
            slb.DeleteLoadBalancerRequest(region_id=REGION, load_balancer_id=self.balancer_id)
        )
        for what, total in {
            "groups": self.gateway.describe_api_groups(api.DescribeApiGroupsRequest()).body.total_count,
            "APIs": self.gateway.describe_apis(api.DescribeApisRequest()).body.total_count,
            "apps": self.gateway.describe_app_attributes(api.DescribeAppAttributesRequest()).body.total_count,
            "plugins": self.gateway.describe_plugins(api.DescribePluginsRequest()).body.total_count,
            "accesses": self.gateway.describe_vpc_accesses(api.DescribeVpcAccessesRequest()).body.total_count,
            "balancers": self.balancers.describe_load_balancers(
                slb.DescribeLoadBalancersRequest(region_id=REGION)
            ).body.total_count,
        }.items():
            expect(f"left {what}", total, 0)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    run = Roundtrip(*sys.argv[1:])
    steps = ["make_balancer", "make_group", "make_access", "make_api", "deploy", "make_app", "grant"]
    for step in [*steps, "traffic", "former_generation", "delete_all"]:
        getattr(run, step)()
        print(f"ok {step}", flush=True)


if __name__ == "__main__":
    main()
