package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eksauth"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// golang makes calls with the AWS SDK for Go v2.
type golang struct{ plane *plane }

// goClients makes the SDK's clients by the names that boto3 has for them.
var goClients = map[string]func(aws.Config) any{
	"eks":           func(c aws.Config) any { return eks.NewFromConfig(c) },
	"eks-auth":      func(c aws.Config) any { return eksauth.NewFromConfig(c) },
	"iam":           func(c aws.Config) any { return iam.NewFromConfig(c) },
	"organizations": func(c aws.Config) any { return organizations.NewFromConfig(c) },
	"s3":            func(c aws.Config) any { return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }) },
	"sts":           func(c aws.Config) any { return sts.NewFromConfig(c) },
}

func (g golang) make(c call) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config, err := g.plane.config(ctx, c.Profile)
	if err != nil {
		return answer{}, err
	}
	if k := c.Credentials; k != nil {
		config.Credentials = credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, k.SessionToken)
	}
	newClient := goClients[c.Client]
	if newClient == nil {
		return answer{}, fmt.Errorf("the driver for Go knows no client %q", c.Client)
	}
	method := reflect.ValueOf(newClient(config)).MethodByName(c.Operation)
	if !method.IsValid() {
		return answer{}, fmt.Errorf("the SDK's %s client has no operation %q", c.Client, c.Operation)
	}
	in := reflect.New(method.Type().In(1).Elem())
	if err := fill(in.Elem(), c.Input, "input"); err != nil {
		return answer{}, err
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(ctx), in})
	if err, failed := results[1].Interface().(error); failed {
		return answer{Error: goError(c, err)}, nil
	}
	out, err := members(results[0])
	return answer{Output: out}, err
}

// fill puts a value of a scenario into a member of an input.
func fill(v reflect.Value, in any, path string) error {
	bad := func() error { return fmt.Errorf("%s is a %T, which does not fit a %s", path, in, v.Type()) }
	if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[[]byte]() {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, v.Addr().Interface())
	}
	if v.Type() == reflect.TypeFor[io.Reader]() {
		v.Set(reflect.ValueOf(strings.NewReader(fmt.Sprint(in))))
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), in, path)
	case reflect.Struct:
		m, ok := in.(map[string]any)
		if !ok {
			return bad()
		}
		for name, value := range m {
			f := v.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) })
			if !f.IsValid() {
				return fmt.Errorf("%s.%s is no member of %s", path, name, v.Type())
			}
			if err := fill(f, value, path+"."+name); err != nil {
				return err
			}
		}
	case reflect.Map:
		m, ok := in.(map[string]any)
		if !ok {
			return bad()
		}
		v.Set(reflect.MakeMap(v.Type()))
		for name, value := range m {
			e := reflect.New(v.Type().Elem()).Elem()
			if err := fill(e, value, path+"."+name); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
		}
	case reflect.Slice:
		list, ok := in.([]any)
		if !ok {
			return bad()
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i := range list {
			if err := fill(v.Index(i), list[i], fmt.Sprintf("%s.%d", path, i)); err != nil {
				return err
			}
		}
	case reflect.String:
		switch in := in.(type) {
		case string:
			v.SetString(in)
		case map[string]any, []any: // a policy document
			text, err := json.Marshal(in)
			if err != nil {
				return err
			}
			v.SetString(string(text))
		default:
			return bad()
		}
	case reflect.Bool:
		b, ok := in.(bool)
		if !ok {
			return bad()
		}
		v.SetBool(b)
	case reflect.Int32, reflect.Int64:
		n, ok := in.(float64)
		if !ok || n != float64(int64(n)) {
			return bad()
		}
		v.SetInt(int64(n))
	case reflect.Float32, reflect.Float64:
		n, ok := in.(float64)
		if !ok {
			return bad()
		}
		v.SetFloat(n)
	default:
		return bad()
	}
	return nil
}

// members is a struct of the SDK as JSON has it: what is not there is left out.
func members(v reflect.Value) (map[string]any, error) {
	if body := reflect.Indirect(v).FieldByName("Body"); body.IsValid() {
		if r, ok := body.Interface().(io.ReadCloser); ok && r != nil {
			defer r.Close()
			text, err := io.ReadAll(r)
			if err != nil {
				return nil, err
			}
			body.Set(reflect.ValueOf(io.NopCloser(strings.NewReader(""))))
			m := shown(v).(map[string]any)
			m["Body"] = string(text)
			return m, nil
		}
	}
	m, _ := shown(v).(map[string]any)
	return m, nil
}

// shown is a value of the SDK as JSON has it, or nil where it is not there.
func shown(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if v.Elem().Kind() == reflect.String { // a member that is there, and empty
			return v.Elem().String()
		}
		return shown(v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return t.Format(time.RFC3339Nano)
		}
		m := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Name == "ResultMetadata" || f.Name == "ErrorCodeOverride" {
				continue
			}
			if value := shown(v.Field(i)); value != nil {
				m[f.Name] = value
			}
		}
		return m
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		m := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = shown(it.Value())
		}
		return m
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		if b, ok := v.Interface().([]byte); ok {
			return string(b)
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = shown(v.Index(i))
		}
		return list
	case reflect.String:
		if v.Len() == 0 { // an enum that was not set
			return nil
		}
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int32, reflect.Int64:
		return float64(v.Int())
	case reflect.Float32, reflect.Float64:
		return v.Float()
	default:
		return nil
	}
}

// goError is an error of a service. Others, as of an input that the SDK refuses to send, have no code.
func goError(c call, err error) *clientError {
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return &clientError{Message: err.Error()}
	}
	code := e.ErrorCode()
	if c.Client == "iam" || c.Client == "sts" {
		code = queryCode(e)
	}
	m, _ := shown(reflect.ValueOf(e)).(map[string]any)
	return &clientError{Code: code, Message: e.ErrorMessage(), Members: m}
}

// queryCode is the code on the wire of an error that the SDK calls by its shape: of most the shape's name is the code and "Exception".
func queryCode(e smithy.APIError) string {
	code := e.ErrorCode()
	if _, generic := errors.AsType[*smithy.GenericAPIError](e); generic {
		return code
	}
	if other, ok := queryCodes[code]; ok {
		return other
	}
	return strings.TrimSuffix(code, "Exception")
}

// queryCodes are the others in the models of IAM and STS.
var queryCodes = map[string]string{
	"AccountNotManagementOrDelegatedAdministratorException": "AccountNotManagementOrDelegatedAdministratorException",
	"CallerIsNotManagementAccountException":                 "CallerIsNotManagementAccountException",
	"CredentialReportExpiredException":                      "ReportExpired",
	"CredentialReportNotPresentException":                   "ReportNotPresent",
	"CredentialReportNotReadyException":                     "ReportInProgress",
	"OrganizationNotFoundException":                         "OrganizationNotFoundException",
	"OrganizationNotInAllFeaturesModeException":             "OrganizationNotInAllFeaturesModeException",
	"ServiceAccessNotEnabledException":                      "ServiceAccessNotEnabledException",
	"ServiceNotSupportedException":                          "NotSupportedService",
	"ExpiredTokenException":                                 "ExpiredTokenException",
	"ExpiredTradeInTokenException":                          "ExpiredTradeInTokenException",
	"InvalidAuthorizationMessageException":                  "InvalidAuthorizationMessageException",
	"JWTPayloadSizeExceededException":                       "JWTPayloadSizeExceededException",
	"OutboundWebIdentityFederationDisabledException":        "OutboundWebIdentityFederationDisabledException",
	"RegionDisabledException":                               "RegionDisabledException",
	"SessionDurationEscalationException":                    "SessionDurationEscalationException",
}
