package platform

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/budgets"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Budget is a monthly AWS Budget over what carries the stage's tag. AWS sees the tag only once it
// is activated as a cost allocation tag, once per account.
type Budget struct {
	pulumi.ResourceState
}

// NewBudget makes the budget of a stage. It writes to shoplab:alertEmail, if set, when 80% are
// spent and when the forecast exceeds the whole.
func NewBudget(ctx *pulumi.Context, name string, c Config, opts ...pulumi.ResourceOption) (*Budget, error) {
	b := &Budget{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Budget", name, b, opts...); err != nil {
		return nil, err
	}
	var notifications budgets.BudgetNotificationArray
	if c.AlertEmail != "" {
		notifications = budgets.BudgetNotificationArray{notify(c, "ACTUAL", 80), notify(c, "FORECASTED", 100)}
	}
	if _, err := budgets.NewBudget(ctx, name+"-monthly", &budgets.BudgetArgs{
		NamePrefix: pulumi.String(c.physical()), // nothing else tells an inventory whose it is
		BudgetType: pulumi.String("COST"), TimeUnit: pulumi.String("MONTHLY"),
		LimitAmount: pulumi.String(strconv.Itoa(c.MonthlyBudget)), LimitUnit: pulumi.String("USD"),
		CostFilters: budgets.BudgetCostFilterArray{budgets.BudgetCostFilterArgs{
			Name: pulumi.String("TagKeyValue"), Values: pulumi.ToStringArray([]string{"user:stage$" + c.Stack}),
		}},
		Notifications: notifications,
	}, child(b)...); err != nil {
		return nil, err
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{})
}

// notify writes when spending of a kind passes a percentage of the budget.
func notify(c Config, kind string, percent float64) budgets.BudgetNotificationArgs {
	return budgets.BudgetNotificationArgs{
		NotificationType: pulumi.String(kind), ComparisonOperator: pulumi.String("GREATER_THAN"),
		Threshold: pulumi.Float64(percent), ThresholdType: pulumi.String("PERCENTAGE"),
		SubscriberEmailAddresses: pulumi.ToStringArray([]string{c.AlertEmail}),
	}
}
